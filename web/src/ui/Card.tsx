import { type ElementType, type HTMLAttributes, type ReactNode, useId } from 'react';

import styles from './Card.module.css';

export type Tone = 'neutral' | 'accent' | 'good' | 'warn' | 'bad' | 'info';

export interface CardProps extends HTMLAttributes<HTMLElement> {
  as?: ElementType;
  heading?: ReactNode;
  /** Of the heading, as the page around has it. */
  headingLevel?: 2 | 3 | 4;
  tone?: Tone;
  children: ReactNode;
  footer?: ReactNode;
}

/** A thing of its own on the page. */
export function Card({
  as: Element = 'section',
  heading,
  headingLevel = 2,
  tone = 'neutral',
  children,
  footer,
  className,
  ...rest
}: CardProps) {
  const headingId = useId();
  const Heading: ElementType = `h${headingLevel}`;
  return (
    <Element
      {...(heading !== undefined && { 'aria-labelledby': headingId })}
      {...rest}
      className={[styles.card, styles[tone], className].filter(Boolean).join(' ')}
    >
      {heading !== undefined && (
        <Heading id={headingId} className={styles.heading}>
          {heading}
        </Heading>
      )}
      {children}
      {footer && <div className={styles.footer}>{footer}</div>}
    </Element>
  );
}
