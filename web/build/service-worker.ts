// Writes sw.js: the app starts without a network, from the dashboards on, and says that it has none.
// It keeps files of ours and nothing else: what the API answers is never in it.

import { resolve } from 'node:path';

import type { Plugin, Rollup } from 'vite';
import { generateSW } from 'workbox-build';

/** Besides the entry: where people begin. Everything else is kept when it was used. */
const BEGINNINGS = [
  'src/login/LoginPage.tsx',
  'src/patient/HomePage.tsx',
  'src/doctor/HomePage.tsx',
  'src/staff/BoardPage.tsx',
];

/** The texts of those, in all languages. */
const TEXTS = /\/locales\/\w+\/(common|problems|login|appointments|patient|doctor|staff)\.json$/;

const ALWAYS = ['index.html', 'manifest.webmanifest', 'icon.svg'];

/** The files that a start needs, from what was built. */
export function filesOfTheStart(bundle: Rollup.OutputBundle): string[] {
  const found = new Set<string>(ALWAYS);
  const add = (fileName: string) => {
    const chunk = bundle[fileName];
    if (found.has(fileName) || chunk?.type !== 'chunk') return;
    found.add(fileName);
    chunk.viteMetadata?.importedCss.forEach((css) => found.add(css));
    chunk.imports.forEach(add);
  };
  for (const output of Object.values(bundle)) {
    if (output.type !== 'chunk') continue;
    const source = output.facadeModuleId ?? '';
    const begins = BEGINNINGS.some((path) => source.endsWith(path)) || TEXTS.test(source);
    if (output.isEntry || begins) add(output.fileName);
  }
  return [...found];
}

export function serviceWorker(): Plugin {
  let folder = '';
  let files: string[] = [];
  return {
    name: 'televisit-service-worker',
    apply: 'build',
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
    },
    writeBundle(_options, bundle) {
      // A worker is a build within the build, without an index.html of its own.
      if (Object.values(bundle).some((output) => output.fileName === 'index.html'))
        files = filesOfTheStart(bundle);
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        if (files.length === 0) return;
        const { warnings } = await generateSW({
          swDest: resolve(folder, 'sw.js'),
          globDirectory: folder,
          globPatterns: files,
          // Names with a hash are never written anew.
          dontCacheBustURLsMatching: /^assets\//,
          mode: 'production',
          sourcemap: false,
          inlineWorkboxRuntime: true,
          cleanupOutdatedCaches: true,
          // The people say when (app/pwa.ts).
          skipWaiting: false,
          clientsClaim: true,
          // "/" is a page like the others: from the server if there is one.
          directoryIndex: '',
          runtimeCaching: [
            {
              // The server's page comes first, because its headers say where a call may go to.
              urlPattern: ({ request, url, sameOrigin }) =>
                sameOrigin &&
                request.mode === 'navigate' &&
                !/^\/(v1|healthz|openapi\.json)(\/|$)/.test(url.pathname),
              handler: 'NetworkOnly',
              options: { precacheFallback: { fallbackURL: '/index.html' } },
            },
            {
              urlPattern: ({ url, sameOrigin }) =>
                sameOrigin && url.pathname.startsWith('/assets/'),
              handler: 'CacheFirst',
              options: {
                cacheName: 'televisit-assets',
                cacheableResponse: { statuses: [200] },
                expiration: { maxEntries: 100, purgeOnQuotaError: true },
              },
            },
          ],
        });
        if (warnings.length > 0) throw new Error(warnings.join('\n'));
      },
    },
  };
}
