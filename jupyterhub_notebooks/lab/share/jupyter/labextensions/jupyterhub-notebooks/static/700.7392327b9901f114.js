"use strict";(self.rspackChunkjupyterhub_notebooks=self.rspackChunkjupyterhub_notebooks||[]).push([[700],{646(r,n,o){var e=o(601),t=o.n(e),a=o(314),i=(o.n(a))()(t());i.push([r.id,`/* JupyterLab's own measures and colours; amber, red and blue as on the pages, in both themes. */
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
  background: var(--jp-layout-color3);
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
`,""]),o.d(n,{},{A:i})},314(r){r.exports=function(r){var n=[];return n.toString=function(){return this.map(function(n){var o="",e=void 0!==n[5];return n[4]&&(o+="@supports (".concat(n[4],") {")),n[2]&&(o+="@media ".concat(n[2]," {")),e&&(o+="@layer".concat(n[5].length>0?" ".concat(n[5]):""," {")),o+=r(n),e&&(o+="}"),n[2]&&(o+="}"),n[4]&&(o+="}"),o}).join("")},n.i=function(r,o,e,t,a){"string"==typeof r&&(r=[[null,r,void 0]]);var i={};if(e)for(var p=0;p<this.length;p++){var s=this[p][0];null!=s&&(i[s]=!0)}for(var l=0;l<r.length;l++){var c=[].concat(r[l]);e&&i[c[0]]||(void 0!==a&&(void 0===c[5]||(c[1]="@layer".concat(c[5].length>0?" ".concat(c[5]):""," {").concat(c[1],"}")),c[5]=a),o&&(c[2]&&(c[1]="@media ".concat(c[2]," {").concat(c[1],"}")),c[2]=o),t&&(c[4]?(c[1]="@supports (".concat(c[4],") {").concat(c[1],"}"),c[4]=t):c[4]="".concat(t)),n.push(c))}},n}},601(r){r.exports=function(r){return r[1]}},72(r){var n=[];function o(r){for(var o=-1,e=0;e<n.length;e++)if(n[e].identifier===r){o=e;break}return o}function e(r,e){for(var t={},a=[],i=0;i<r.length;i++){var p=r[i],s=e.base?p[0]+e.base:p[0],l=t[s]||0,c="".concat(s," ").concat(l);t[s]=l+1;var b=o(c),d={css:p[1],media:p[2],sourceMap:p[3],supports:p[4],layer:p[5]};if(-1!==b)n[b].references++,n[b].updater(d);else{var u=function(r,n){var o=n.domAPI(n);return o.update(r),function(n){n?(n.css!==r.css||n.media!==r.media||n.sourceMap!==r.sourceMap||n.supports!==r.supports||n.layer!==r.layer)&&o.update(r=n):o.remove()}}(d,e);e.byIndex=i,n.splice(i,0,{identifier:c,updater:u,references:1})}a.push(c)}return a}r.exports=function(r,t){var a=e(r=r||[],t=t||{});return function(r){r=r||[];for(var i=0;i<a.length;i++){var p=o(a[i]);n[p].references--}for(var s=e(r,t),l=0;l<a.length;l++){var c=o(a[l]);0===n[c].references&&(n[c].updater(),n.splice(c,1))}a=s}}},659(r){var n={};r.exports=function(r,o){var e=function(r){if(void 0===n[r]){var o=document.querySelector(r);if(window.HTMLIFrameElement&&o instanceof window.HTMLIFrameElement)try{o=o.contentDocument.head}catch(r){o=null}n[r]=o}return n[r]}(r);if(!e)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");e.appendChild(o)}},540(r){r.exports=function(r){var n=document.createElement("style");return r.setAttributes(n,r.attributes),r.insert(n,r.options),n}},56(r,n,o){r.exports=function(r){var n=o.nc;n&&r.setAttribute("nonce",n)}},825(r){r.exports=function(r){if("u"<typeof document)return{update:function(){},remove:function(){}};var n=r.insertStyleElement(r);return{update:function(o){var e,t,a;e="",o.supports&&(e+="@supports (".concat(o.supports,") {")),o.media&&(e+="@media ".concat(o.media," {")),(t=void 0!==o.layer)&&(e+="@layer".concat(o.layer.length>0?" ".concat(o.layer):""," {")),e+=o.css,t&&(e+="}"),o.media&&(e+="}"),o.supports&&(e+="}"),(a=o.sourceMap)&&"u">typeof btoa&&(e+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),r.styleTagTransform(e,n,r.options)},remove:function(){var r;null===(r=n).parentNode||r.parentNode.removeChild(r)}}}},113(r){r.exports=function(r,n){if(n.styleSheet)n.styleSheet.cssText=r;else{for(;n.firstChild;)n.removeChild(n.firstChild);n.appendChild(document.createTextNode(r))}}},959(r,n,o){var e=o(72),t=o.n(e),a=o(825),i=o.n(a),p=o(659),s=o.n(p),l=o(56),c=o.n(l),b=o(540),d=o.n(b),u=o(113),f=o.n(u),j=o(646),v={};v.styleTagTransform=f(),v.setAttributes=c(),v.insert=s().bind(null,"head"),v.domAPI=i(),v.insertStyleElement=d(),t()(j.A,v),j.A&&j.A.locals&&j.A.locals}}]);