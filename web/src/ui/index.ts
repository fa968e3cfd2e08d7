/**
 * The kit that every screen is made of. Plain elements with one look; behaviour that the browser
 * has is left to it. Dialog and SearchSelect are imported from their own files (they are big).
 */
export { announce } from './announce';
export { Badge } from './Badge';
export { Button, type ButtonVariant, IconButton, LinkButton } from './Button';
export { Card, type Tone } from './Card';
export { EmptyState } from './EmptyState';
export { FormError } from './FormError';
export { useOnline, usePageVisible, useReducedMotion } from './hooks';
export { default as layout } from './layout.module.css';
export { Skeleton, Spinner } from './Loading';
export { Notice, type NoticeTone } from './Notice';
export { Page } from './Page';
export { fieldError, problemText, useProblemText } from './problemText';
export { RadioCards } from './RadioCards';
export { Select } from './Select';
export { Switch } from './Switch';
export { TextField } from './TextField';
export { useTitleAlert } from './title';
export { toast, toastProblem } from './toast';
