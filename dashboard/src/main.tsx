import './styles/tokens.css';
import './styles/page.css';
import './styles/status.css';
import './styles/figures.css';
import './styles/charts.css';
import './styles/tables.css';
import './styles/controls.css';
import './styles/failures.css';
import './styles/look-up.css';
import { render } from 'preact';
import { Page } from './page';
import { applyTheme, rememberedTheme } from './remembered';

applyTheme(rememberedTheme());
const root = document.getElementById('page');
if (root) render(<Page />, root);
