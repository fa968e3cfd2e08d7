import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { Link, Route, Routes } from 'react-router';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { Problem, Unreachable } from '../api';
import { renderAt } from '../testing/render';
import {
  Button,
  FormError,
  Notice,
  Page,
  RadioCards,
  Select,
  Switch,
  TextField,
  toast,
  useTitleAlert,
} from '.';
import { Dialog } from './Dialog';
import { SearchSelect } from './SearchSelect';
import { useFrameTitle } from './title';
import { Toasts } from './toast';

beforeEach(() => {
  vi.spyOn(window, 'scrollTo').mockImplementation(() => undefined);
});

describe('Page', () => {
  function Two() {
    return (
      <>
        <Link to="/b">go</Link>
        <Routes>
          <Route path="/a" element={<Page title="First">{null}</Page>} />
          <Route path="/b" element={<Page title="Second">{null}</Page>} />
        </Routes>
      </>
    );
  }

  test('the first page of a visit leaves the focus alone, the next takes it to its heading', async () => {
    await renderAt(<Two />, { at: '/a' });
    expect(document.title).toBe('First · televisit');
    expect(document.activeElement).toBe(document.body);
    await userEvent.click(screen.getByRole('link', { name: 'go' }));
    expect(document.activeElement).toBe(screen.getByRole('heading', { level: 1, name: 'Second' }));
    expect(document.title).toBe('Second · televisit');
    expect(within(screen.getByRole('main')).getByRole('heading')).toBeTruthy();
  });

  test('the title of the tab has unread notices and what cannot wait', async () => {
    function Frame({ alert }: { alert: string }) {
      useFrameTitle('Lakeside', 3);
      useTitleAlert(alert);
      return <Page title="Home">{null}</Page>;
    }
    const { unmount } = await renderAt(<Frame alert="Pia is waiting" />);
    expect(document.title).toBe('(3) Pia is waiting · Home · Lakeside');
    unmount();
    expect(document.title).toBe('Home · televisit');
  });
});

describe('Button', () => {
  test('busy: keeps the focus, does nothing, sends no form, and says so', async () => {
    const press = vi.fn();
    const send = vi.fn((event: { preventDefault: () => void }) => event.preventDefault());
    await renderAt(
      <form onSubmit={send}>
        <Button type="submit" busy onClick={press}>
          Send
        </Button>
      </form>,
    );
    const button = screen.getByRole('button', { name: 'Send' });
    await userEvent.tab();
    expect(document.activeElement).toBe(button);
    await userEvent.keyboard('{Enter}');
    await userEvent.click(button);
    expect(press).not.toHaveBeenCalled();
    expect(send).not.toHaveBeenCalled();
    expect(button.getAttribute('aria-disabled')).toBe('true');
    expect(screen.getByRole('button', { description: 'Please wait' })).toBe(button);
    expect(await screen.findByText('Please wait', { selector: '[role=status] p' })).toBeTruthy();
  });

  test('by itself it sends no form', async () => {
    const send = vi.fn();
    await renderAt(
      <form onSubmit={send}>
        <Button>Other</Button>
      </form>,
    );
    await userEvent.click(screen.getByRole('button', { name: 'Other' }));
    expect(send).not.toHaveBeenCalled();
  });
});

describe('fields', () => {
  test('help and error are tied to the control', async () => {
    await renderAt(<TextField label="Clinic" description="As in the letter" error="Is missing" />);
    const box = screen.getByRole('textbox', {
      name: 'Clinic',
      description: 'As in the letter Is missing',
    });
    expect(box.getAttribute('aria-invalid')).toBe('true');
  });

  test('several lines', async () => {
    await renderAt(<TextField multiline label="Reason" maxLength={10} />);
    expect(screen.getByRole('textbox', { name: 'Reason' }).tagName).toBe('TEXTAREA');
  });

  test('a list, a switch and cards give what was chosen', async () => {
    const chosen = vi.fn();
    const items = [
      { id: 'a', label: 'Ann' },
      { id: 'b', label: 'Bob', description: 'the other' },
    ] as const;
    await renderAt(
      <>
        <Select label="Doctor" items={items} value={null} onChange={chosen} placeholder="Choose" />
        <Switch label="Sound" description="also later" checked={false} onChange={chosen} />
        <RadioCards legend="Who" options={items} value="a" onChange={chosen} />
      </>,
    );
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Doctor' }), 'Bob');
    await userEvent.click(screen.getByRole('switch', { name: 'Sound' }));
    const group = screen.getByRole('group', { name: 'Who' });
    await userEvent.click(
      within(group).getByRole('radio', { name: 'Bob', description: 'the other' }),
    );
    expect(chosen.mock.calls).toEqual([['b'], [true], ['b']]);
  });

  test('one of many is found by a part of its name', async () => {
    const chosen = vi.fn();
    await renderAt(
      <SearchSelect
        label="Zone"
        items={[
          { id: 'Europe/Berlin', label: 'Berlin', more: 'Europe' },
          { id: 'Asia/Tokyo', label: 'Tokyo', more: 'Asia' },
        ]}
        value="Europe/Berlin"
        onChange={chosen}
        nothing="None"
        showAll="All"
      />,
    );
    const box = screen.getByRole('combobox', { name: 'Zone' });
    await userEvent.clear(box);
    await userEvent.type(box, 'tok');
    await userEvent.click(await screen.findByRole('option', { name: /Tokyo/ }));
    expect(chosen).toHaveBeenLastCalledWith('Asia/Tokyo');
  });
});

describe('messages', () => {
  test('what went wrong is an alert, the rest a status', async () => {
    await renderAt(
      <>
        <Notice tone="bad">Wrong</Notice>
        <Notice tone="good">Right</Notice>
      </>,
    );
    expect(screen.getByText('Wrong').closest('[role]')?.getAttribute('role')).toBe('alert');
    expect(screen.getByText('Right').closest('[role]')?.getAttribute('role')).toBe('status');
  });

  test.each([
    [new Unreachable('away'), /cannot reach the clinic/],
    [new Problem({ type: '/problems/slot-taken', title: '', status: 409 }), /just been taken/],
    [
      new Problem({
        type: '/problems/rate-limited',
        title: '',
        status: 429,
        retryAfterSeconds: 90,
      }),
      /in 2 minutes/,
    ],
    [
      new Problem({ type: '/problems/of-tomorrow', title: '', status: 400 }),
      /Something went wrong/,
    ],
    [new TypeError('ours'), /Something went wrong/],
  ])('words for %s', async (error, words) => {
    await renderAt(<FormError error={error} />);
    expect(await screen.findByText(words)).toBeTruthy();
  });

  test('a toast is said, can be closed, and one with something to do stays', async () => {
    const press = vi.fn();
    await renderAt(<Toasts />);
    act(() => void toast('A new version', { action: { label: 'Load', onPress: press } }));
    const place = screen.getByRole('region', { name: 'Messages' });
    expect(screen.getAllByText('A new version')).toHaveLength(2);
    await userEvent.click(within(place).getByRole('button', { name: 'Load' }));
    expect(press).toHaveBeenCalledOnce();
    expect(screen.queryByRole('region', { name: 'Messages' })).toBeNull();
  });
});

describe('Dialog', () => {
  function Opener({ role }: { role?: 'alertdialog' }) {
    const [isOpen, setOpen] = useState(false);
    return (
      <>
        <Button onClick={() => setOpen(true)}>Open</Button>
        <Dialog title="Sure?" isOpen={isOpen} onClose={() => setOpen(false)} role={role}>
          <TextField label="Why" />
        </Dialog>
      </>
    );
  }

  test('keeps the focus, closes with Escape, gives the focus back', async () => {
    await renderAt(<Opener />);
    const opener = screen.getByRole('button', { name: 'Open' });
    await userEvent.click(opener);
    const dialog = screen.getByRole('dialog', { name: 'Sure?' });
    for (let i = 0; i < 4; i++) {
      await userEvent.tab();
      expect(dialog.contains(document.activeElement)).toBe(true);
    }
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    await waitFor(() => expect(document.activeElement).toBe(opener));
  });

  test('a question has its own role', async () => {
    await renderAt(<Opener role="alertdialog" />);
    await userEvent.click(screen.getByRole('button', { name: 'Open' }));
    expect(screen.getByRole('alertdialog', { name: 'Sure?' })).toBeTruthy();
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  document.title = '';
});
