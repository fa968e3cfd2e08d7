/** The patient's home. */
export default function HomePage() {
  return <h1>televisit</h1>;
}
