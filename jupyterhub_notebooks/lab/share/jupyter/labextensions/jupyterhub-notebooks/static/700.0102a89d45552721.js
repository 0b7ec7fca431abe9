"use strict";(self.rspackChunkjupyterhub_notebooks=self.rspackChunkjupyterhub_notebooks||[]).push([[700],{646(n,r,o){var e=o(601),t=o.n(e),a=o(314),i=(o.n(a))()(t());i.push([n.id,`/* JupyterLab's own measures and colours; amber, red and blue as on the pages, in both themes. */
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
`,""]),o.d(r,{},{A:i})},314(n){n.exports=function(n){var r=[];return r.toString=function(){return this.map(function(r){var o="",e=void 0!==r[5];return r[4]&&(o+="@supports (".concat(r[4],") {")),r[2]&&(o+="@media ".concat(r[2]," {")),e&&(o+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),o+=n(r),e&&(o+="}"),r[2]&&(o+="}"),r[4]&&(o+="}"),o}).join("")},r.i=function(n,o,e,t,a){"string"==typeof n&&(n=[[null,n,void 0]]);var i={};if(e)for(var s=0;s<this.length;s++){var p=this[s][0];null!=p&&(i[p]=!0)}for(var l=0;l<n.length;l++){var b=[].concat(n[l]);e&&i[b[0]]||(void 0!==a&&(void 0===b[5]||(b[1]="@layer".concat(b[5].length>0?" ".concat(b[5]):""," {").concat(b[1],"}")),b[5]=a),o&&(b[2]&&(b[1]="@media ".concat(b[2]," {").concat(b[1],"}")),b[2]=o),t&&(b[4]?(b[1]="@supports (".concat(b[4],") {").concat(b[1],"}"),b[4]=t):b[4]="".concat(t)),r.push(b))}},r}},601(n){n.exports=function(n){return n[1]}},72(n){var r=[];function o(n){for(var o=-1,e=0;e<r.length;e++)if(r[e].identifier===n){o=e;break}return o}function e(n,e){for(var t={},a=[],i=0;i<n.length;i++){var s=n[i],p=e.base?s[0]+e.base:s[0],l=t[p]||0,b="".concat(p," ").concat(l);t[p]=l+1;var c=o(b),d={css:s[1],media:s[2],sourceMap:s[3],supports:s[4],layer:s[5]};if(-1!==c)r[c].references++,r[c].updater(d);else{var u=function(n,r){var o=r.domAPI(r);return o.update(n),function(r){r?(r.css!==n.css||r.media!==n.media||r.sourceMap!==n.sourceMap||r.supports!==n.supports||r.layer!==n.layer)&&o.update(n=r):o.remove()}}(d,e);e.byIndex=i,r.splice(i,0,{identifier:b,updater:u,references:1})}a.push(b)}return a}n.exports=function(n,t){var a=e(n=n||[],t=t||{});return function(n){n=n||[];for(var i=0;i<a.length;i++){var s=o(a[i]);r[s].references--}for(var p=e(n,t),l=0;l<a.length;l++){var b=o(a[l]);0===r[b].references&&(r[b].updater(),r.splice(b,1))}a=p}}},659(n){var r={};n.exports=function(n,o){var e=function(n){if(void 0===r[n]){var o=document.querySelector(n);if(window.HTMLIFrameElement&&o instanceof window.HTMLIFrameElement)try{o=o.contentDocument.head}catch(n){o=null}r[n]=o}return r[n]}(n);if(!e)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");e.appendChild(o)}},540(n){n.exports=function(n){var r=document.createElement("style");return n.setAttributes(r,n.attributes),n.insert(r,n.options),r}},56(n,r,o){n.exports=function(n){var r=o.nc;r&&n.setAttribute("nonce",r)}},825(n){n.exports=function(n){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=n.insertStyleElement(n);return{update:function(o){var e,t,a;e="",o.supports&&(e+="@supports (".concat(o.supports,") {")),o.media&&(e+="@media ".concat(o.media," {")),(t=void 0!==o.layer)&&(e+="@layer".concat(o.layer.length>0?" ".concat(o.layer):""," {")),e+=o.css,t&&(e+="}"),o.media&&(e+="}"),o.supports&&(e+="}"),(a=o.sourceMap)&&"u">typeof btoa&&(e+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),n.styleTagTransform(e,r,n.options)},remove:function(){var n;null===(n=r).parentNode||n.parentNode.removeChild(n)}}}},113(n){n.exports=function(n,r){if(r.styleSheet)r.styleSheet.cssText=n;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(n))}}},959(n,r,o){var e=o(72),t=o.n(e),a=o(825),i=o.n(a),s=o(659),p=o.n(s),l=o(56),b=o.n(l),c=o(540),d=o.n(c),u=o(113),f=o.n(u),j=o(646),v={};v.styleTagTransform=f(),v.setAttributes=b(),v.insert=p().bind(null,"head"),v.domAPI=i(),v.insertStyleElement=d(),t()(j.A,v),j.A&&j.A.locals&&j.A.locals}}]);