// @ts-check
import a11y from 'eslint-plugin-jsx-a11y-x';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
    { ignores: ['node_modules', 'src/api/schema.d.ts'] },
    ...tseslint.configs.strictTypeChecked,
    ...tseslint.configs.stylisticTypeChecked,
    hooks.configs.flat.recommended,
    a11y.flatConfigs?.recommended ?? a11y.configs.recommended,
    {
        languageOptions: {
            parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] } },
        },
        rules: {
            '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
            '@typescript-eslint/no-confusing-void-expression': [
                'error',
                { ignoreArrowShorthand: true },
            ],
            'no-console': 'error',
        },
    },
);
