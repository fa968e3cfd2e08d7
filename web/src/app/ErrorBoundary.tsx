import i18next from 'i18next';
import { Component, type ReactNode } from 'react';

import { Button } from '../ui/Button';
import layout from '../ui/layout.module.css';
import pageStyles from '../ui/Page.module.css';

interface Props {
  children: ReactNode;
  /** Another one (the page that is shown) is a new beginning. */
  resetKey?: string;
}

interface State {
  failed: boolean;
  resetKey: string | undefined;
}

/** A fault of ours in one screen: words and a way on instead of an empty page. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { failed: false, resetKey: this.props.resetKey };

  static getDerivedStateFromError(): Partial<State> {
    return { failed: true };
  }

  static getDerivedStateFromProps(props: Props, state: State): State | null {
    if (props.resetKey === state.resetKey) return null;
    return { failed: false, resetKey: props.resetKey };
  }

  override render() {
    return this.state.failed ? <Failed /> : this.props.children;
  }
}

/** Uses as little as it can: what it stands for may be broken as well. */
function Failed() {
  const t = i18next.getFixedT(null, 'common');
  return (
    <main className={pageStyles.page}>
      <h1>{t('failed.title')}</h1>
      <p role="alert">{t('failed.text')}</p>
      <p className={layout.row}>
        <Button variant="primary" onClick={() => window.location.reload()}>
          {t('failed.reload')}
        </Button>
        <a href="/">{t('failed.home')}</a>
      </p>
    </main>
  );
}
