"use strict";(self.rspackChunkjupyterhub_notebooks=self.rspackChunkjupyterhub_notebooks||[]).push([[700],{646(n,r,e){var o=e(601),t=e.n(o),a=e(314),i=(e.n(a))()(t());i.push([n.id,`/* JupyterLab's own measures and colours; amber, red and blue as on the pages, in both themes. */
:root {
  --jp-nbs-work: #14578a;
  --jp-nbs-work-fill: #2c7bb6;
  --jp-nbs-wait: #7a4a00;
  --jp-nbs-wait-bg: #fdf1d8;
  --jp-nbs-wait-fill: #d9971a;
  --jp-nbs-err: #a81216;
  --jp-nbs-err-bg: #fdebea;
  --jp-nbs-err-fill: #d7191c;
  --jp-nbs-go: #1564c0;
  --jp-nbs-muted: #575757;
}

[data-jp-theme-light='false'] {
  --jp-nbs-work: #9ccbf0;
  --jp-nbs-work-fill: #4d9bd5;
  --jp-nbs-wait: #f3c876;
  --jp-nbs-wait-bg: #3b2e12;
  --jp-nbs-wait-fill: #d9a441;
  --jp-nbs-err: #ffa6a3;
  --jp-nbs-err-bg: #46201f;
  --jp-nbs-err-fill: #ef5a56;
  --jp-nbs-go: #1a6fd0;
  --jp-nbs-muted: #b5b5b5;
}

.jp-nbs-hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

/* -- status bar ------------------------------------------------------------------------------------------ */

.jp-nbs-item {
  display: flex;
  align-items: stretch;
  height: 100%;
  font-size: var(--jp-ui-font-size1);
  color: var(--jp-ui-font-color1);
  white-space: nowrap;
}

.jp-nbs-item[hidden] {
  display: none;
}

.jp-nbs-plain {
  display: flex;
  align-items: center;
  gap: 6px;
  height: 100%;
  padding: 0 8px;
  border: 0;
  background: none;
  color: inherit;
  font: inherit;
  cursor: pointer;
}

.jp-nbs-plain:hover {
  background: var(--jp-layout-color3);
}

.jp-nbs-plain:focus-visible,
.jp-nbs-button:focus-visible,
.jp-nbs-link:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

.jp-nbs-icon {
  display: flex;
}

.jp-nbs-item[data-colour='work'] {
  color: var(--jp-nbs-work);
}

.jp-nbs-item[data-colour='wait'] {
  color: var(--jp-nbs-wait);
  background: var(--jp-nbs-wait-bg);
  font-weight: 600;
}

.jp-nbs-item[data-colour='err'] {
  color: var(--jp-nbs-err);
  background: var(--jp-nbs-err-bg);
  font-weight: 600;
}

.jp-nbs-meter {
  display: flex;
  align-items: center;
  padding: 0 6px;
}

.jp-nbs-meter[data-colour='wait'] {
  color: var(--jp-nbs-wait);
  background: var(--jp-nbs-wait-bg);
}

.jp-nbs-meter[data-colour='err'] {
  color: var(--jp-nbs-err);
  background: var(--jp-nbs-err-bg);
  font-weight: 600;
}

@media (max-width: 1100px) {
  .jp-nbs-use {
    display: none;
  }
}

/* -- buttons --------------------------------------------------------------------------------------------- */

.jp-nbs-button {
  padding: 4px 12px;
  border: 1px solid var(--jp-border-color1);
  border-radius: 3px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  cursor: pointer;
}

.jp-nbs-button:hover {
  background: var(--jp-layout-color2);
}

.jp-nbs-button:disabled {
  color: var(--jp-nbs-muted);
  cursor: default;
}

.jp-nbs-button.jp-nbs-go {
  border-color: var(--jp-nbs-go);
  background: var(--jp-nbs-go);
  color: #fff;
}

.jp-nbs-link {
  padding: 2px 4px;
  border: 0;
  background: none;
  color: var(--jp-content-link-color);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  text-decoration: underline;
  cursor: pointer;
}

.jp-nbs-panel a.jp-nbs-link,
.jp-nbs-note a.jp-nbs-link {
  color: var(--jp-content-link-color);
  text-decoration: underline;
}

.jp-nbs-row {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 8px;
}

/* -- panel ----------------------------------------------------------------------------------------------- */

.jp-nbs-panel {
  overflow: auto;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.45;
}

.jp-nbs-head {
  display: flex;
  align-items: baseline;
  gap: 8px;
  padding: 6px 12px;
  border-bottom: 1px solid var(--jp-border-color2);
  background: var(--jp-layout-color2);
}

.jp-nbs-head h2 {
  margin: 0;
  font-size: var(--jp-ui-font-size1);
  font-weight: 600;
  overflow-wrap: anywhere;
}

.jp-nbs-head h2[data-colour='err'] {
  color: var(--jp-nbs-err);
}

.jp-nbs-end {
  margin-left: auto;
  color: var(--jp-nbs-muted);
}

.jp-nbs-body {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 6px;
  padding: 10px 12px 12px;
  border-bottom: 1px solid var(--jp-border-color2);
}

.jp-nbs-big {
  font-size: var(--jp-ui-font-size2);
  font-weight: 600;
}

.jp-nbs-big[data-colour='wait'] {
  color: var(--jp-nbs-wait);
}

.jp-nbs-muted {
  color: var(--jp-nbs-muted);
}

.jp-nbs-lines {
  white-space: pre-line;
}

.jp-nbs-why summary {
  color: var(--jp-content-link-color);
  cursor: pointer;
}

.jp-nbs-evidence {
  margin: 4px 0 0;
  padding-left: 18px;
  overflow-wrap: anywhere;
}

.jp-nbs-evidence li[data-state='busy'] {
  color: var(--jp-nbs-work);
}

.jp-nbs-evidence li[data-state='unknown'] {
  color: var(--jp-nbs-muted);
}

.jp-nbs-list {
  margin: 0;
  padding: 0;
  list-style: none;
}

.jp-nbs-list li {
  display: flex;
  align-items: center;
  gap: 6px;
  min-height: 24px;
}

.jp-nbs-list li > :nth-child(2) {
  flex: 1;
}

.jp-nbs-list li > .jp-nbs-name {
  flex: 1;
  min-width: 0;
  overflow: hidden;
  text-align: left;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-nbs-list li > .jp-nbs-name + * {
  flex: none;
}

.jp-nbs-bar {
  height: 6px;
  overflow: hidden;
  border-radius: 3px;
  background: var(--jp-border-color2);
}

.jp-nbs-bar > span {
  display: block;
  height: 100%;
  background: var(--jp-nbs-work-fill);
}

.jp-nbs-bar[data-colour='wait'] > span {
  background: var(--jp-nbs-wait-fill);
}

.jp-nbs-bar[data-colour='err'] > span {
  background: var(--jp-nbs-err-fill);
}

.jp-nbs-gauge {
  display: grid;
  gap: 3px;
}

/* -- notices --------------------------------------------------------------------------------------------- */

.jp-nbs-notes {
  position: fixed;
  right: 16px;
  bottom: 36px;
  z-index: 9000;
  display: grid;
  gap: 8px;
  width: 340px;
  max-width: calc(100vw - 32px);
}

/* JupyterLab's own messages come up in the same corner, above everything: ours stand beside them. */
body:has(.Toastify__toast) .jp-nbs-notes {
  right: 368px;
}

@media (max-width: 760px) {
  body:has(.Toastify__toast) .jp-nbs-notes {
    right: 16px;
    z-index: 10000;
  }
}

.jp-nbs-note {
  display: grid;
  gap: 6px;
  padding: 10px 12px;
  border: 1px solid var(--jp-border-color1);
  border-left: 4px solid var(--jp-border-color1);
  border-radius: 3px;
  background: var(--jp-layout-color1);
  box-shadow: var(--jp-elevation-z6);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.45;
}

.jp-nbs-note[data-colour='wait'] {
  border-left-color: var(--jp-nbs-wait-fill);
}

.jp-nbs-note[data-colour='err'] {
  border-left-color: var(--jp-nbs-err-fill);
}

.jp-nbs-note[data-colour='work'] {
  border-left-color: var(--jp-nbs-work-fill);
}

.jp-nbs-note strong {
  font-size: var(--jp-ui-font-size1);
}

.jp-nbs-note p {
  margin: 0;
}

.jp-nbs-note .jp-nbs-row {
  justify-content: flex-end;
}
`,""]),e.d(r,{},{A:i})},314(n){n.exports=function(n){var r=[];return r.toString=function(){return this.map(function(r){var e="",o=void 0!==r[5];return r[4]&&(e+="@supports (".concat(r[4],") {")),r[2]&&(e+="@media ".concat(r[2]," {")),o&&(e+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),e+=n(r),o&&(e+="}"),r[2]&&(e+="}"),r[4]&&(e+="}"),e}).join("")},r.i=function(n,e,o,t,a){"string"==typeof n&&(n=[[null,n,void 0]]);var i={};if(o)for(var s=0;s<this.length;s++){var p=this[s][0];null!=p&&(i[p]=!0)}for(var l=0;l<n.length;l++){var b=[].concat(n[l]);o&&i[b[0]]||(void 0!==a&&(void 0===b[5]||(b[1]="@layer".concat(b[5].length>0?" ".concat(b[5]):""," {").concat(b[1],"}")),b[5]=a),e&&(b[2]&&(b[1]="@media ".concat(b[2]," {").concat(b[1],"}")),b[2]=e),t&&(b[4]?(b[1]="@supports (".concat(b[4],") {").concat(b[1],"}"),b[4]=t):b[4]="".concat(t)),r.push(b))}},r}},601(n){n.exports=function(n){return n[1]}},72(n){var r=[];function e(n){for(var e=-1,o=0;o<r.length;o++)if(r[o].identifier===n){e=o;break}return e}function o(n,o){for(var t={},a=[],i=0;i<n.length;i++){var s=n[i],p=o.base?s[0]+o.base:s[0],l=t[p]||0,b="".concat(p," ").concat(l);t[p]=l+1;var c=e(b),d={css:s[1],media:s[2],sourceMap:s[3],supports:s[4],layer:s[5]};if(-1!==c)r[c].references++,r[c].updater(d);else{var u=function(n,r){var e=r.domAPI(r);return e.update(n),function(r){r?(r.css!==n.css||r.media!==n.media||r.sourceMap!==n.sourceMap||r.supports!==n.supports||r.layer!==n.layer)&&e.update(n=r):e.remove()}}(d,o);o.byIndex=i,r.splice(i,0,{identifier:b,updater:u,references:1})}a.push(b)}return a}n.exports=function(n,t){var a=o(n=n||[],t=t||{});return function(n){n=n||[];for(var i=0;i<a.length;i++){var s=e(a[i]);r[s].references--}for(var p=o(n,t),l=0;l<a.length;l++){var b=e(a[l]);0===r[b].references&&(r[b].updater(),r.splice(b,1))}a=p}}},659(n){var r={};n.exports=function(n,e){var o=function(n){if(void 0===r[n]){var e=document.querySelector(n);if(window.HTMLIFrameElement&&e instanceof window.HTMLIFrameElement)try{e=e.contentDocument.head}catch(n){e=null}r[n]=e}return r[n]}(n);if(!o)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");o.appendChild(e)}},540(n){n.exports=function(n){var r=document.createElement("style");return n.setAttributes(r,n.attributes),n.insert(r,n.options),r}},56(n,r,e){n.exports=function(n){var r=e.nc;r&&n.setAttribute("nonce",r)}},825(n){n.exports=function(n){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=n.insertStyleElement(n);return{update:function(e){var o,t,a;o="",e.supports&&(o+="@supports (".concat(e.supports,") {")),e.media&&(o+="@media ".concat(e.media," {")),(t=void 0!==e.layer)&&(o+="@layer".concat(e.layer.length>0?" ".concat(e.layer):""," {")),o+=e.css,t&&(o+="}"),e.media&&(o+="}"),e.supports&&(o+="}"),(a=e.sourceMap)&&"u">typeof btoa&&(o+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),n.styleTagTransform(o,r,n.options)},remove:function(){var n;null===(n=r).parentNode||n.parentNode.removeChild(n)}}}},113(n){n.exports=function(n,r){if(r.styleSheet)r.styleSheet.cssText=n;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(n))}}},959(n,r,e){var o=e(72),t=e.n(o),a=e(825),i=e.n(a),s=e(659),p=e.n(s),l=e(56),b=e.n(l),c=e(540),d=e.n(c),u=e(113),f=e.n(u),j=e(646),v={};v.styleTagTransform=f(),v.setAttributes=b(),v.insert=p().bind(null,"head"),v.domAPI=i(),v.insertStyleElement=d(),t()(j.A,v),j.A&&j.A.locals&&j.A.locals}}]);