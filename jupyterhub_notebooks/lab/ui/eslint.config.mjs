import eslint from '@eslint/js';
import { configs } from 'typescript-eslint';

export default [
  eslint.configs.recommended,
  ...configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  { rules: { '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }] } }
];
