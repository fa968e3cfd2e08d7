import optimizeLocales from '@react-aria/optimize-locales-plugin';
import react from '@vitejs/plugin-react';
import { compression, defineAlgorithm } from 'vite-plugin-compression2';
import { defineConfig } from 'vitest/config';

import { icons } from './build/icons.ts';
import { serviceWorker } from './build/service-worker.ts';
import { LANGUAGES } from './src/i18n/languages.ts';

/** The gateway that `npm run dev` sends the API to. */
const gateway = process.env.GATEWAY ?? 'http://localhost:8080';

export default defineConfig({
  plugins: [
    react(),
    // React Aria brings its own texts in 30 languages; ours are enough.
    { ...optimizeLocales.vite({ locales: [...LANGUAGES] }), enforce: 'pre' },
    // The gateway serves these beside the plain files.
    compression({
      algorithms: [defineAlgorithm('gzip', { level: 9 }), defineAlgorithm('brotliCompress')],
      threshold: 512,
    }),
    icons(),
    serviceWorker(),
  ],
  build: {
    outDir: '../build/web',
    emptyOutDir: true,
    target: 'es2022',
    // No data: URLs, and no inline script: the content security policy forbids them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What several screens share comes in few files: each costs a request and its headers.
          groups: [
            { name: 'icons', test: /node_modules\/lucide-react\// },
            { name: 'visits', test: /\/src\/(appointments|time)\//, minShareCount: 3 },
          ],
        },
      },
    },
  },
  worker: { format: 'es' },
  server: { proxy: { '/v1': { target: gateway }, '/healthz': { target: gateway } } },
  // What needs no page is tested without one: making a page costs more than most of the tests.
  test: {
    restoreMocks: true,
    testTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'pure',
          environment: 'node',
          include: ['src/**/*.test.ts'],
          exclude: ['src/**/*.page.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'page',
          environment: 'jsdom',
          include: ['src/**/*.test.tsx', 'src/**/*.page.test.ts'],
          setupFiles: ['src/testing/setup.ts'],
        },
      },
    ],
  },
});
