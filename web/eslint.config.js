// @ts-check
import a11y from 'eslint-plugin-jsx-a11y-x';
import hooks from 'eslint-plugin-react-hooks';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
    globalIgnores(['node_modules', 'src/api/schema.d.ts']),
    tseslint.configs.strictTypeChecked,
    tseslint.configs.stylisticTypeChecked,
    hooks.configs.flat.recommended,
    a11y.configs.recommended,
    {
        languageOptions: { parserOptions: { projectService: true } },
        rules: {
            '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
            '@typescript-eslint/no-confusing-void-expression': [
                'error',
                { ignoreArrowShorthand: true },
            ],
            'no-console': 'error',
        },
    },
    // Not part of the program that the types are of.
    { files: ['*.js'], extends: [tseslint.configs.disableTypeChecked] },
);
