// SPDX-License-Identifier: Apache-2.0
// Shows /openapi.json as a page. Everything is put in as text, never as HTML.
'use strict';

function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== undefined && c !== ''));
  return e;
}

function resolve(doc, v) {
  while (v && v.$ref) v = v.$ref.slice(2).split('/').reduce((o, k) => o[k], doc);
  return v;
}

// typeOf says in short what a schema wants.
function typeOf(doc, schema) {
  if (!schema) return '';
  if (schema.$ref) return schema.$ref.split('/').pop();
  const many = schema.anyOf || schema.oneOf || schema.allOf;
  if (many) return many.map((s) => typeOf(doc, s)).join(' or ');
  const range = [schema.minimum, schema.maximum].some((n) => n !== undefined) ? ` ${schema.minimum ?? ''}…${schema.maximum ?? ''}` : '';
  const words = schema.enum ? ` ${schema.enum.join(' | ')}` : '';
  if (schema.type === 'array') return `array of ${typeOf(doc, schema.items)}`;
  return [].concat(schema.type || '').join(' or ') + range + words;
}

function rows(head, lines) {
  return el('table', {}, el('tr', {}, ...head.map((h) => el('th', {}, h))), ...lines.map((l) => el('tr', {}, ...l.map((c) => el('td', {}, c ?? '')))));
}

function example(content) {
  const c = content && Object.values(content)[0];
  if (!c) return undefined;
  const v = c.example ?? (c.examples && Object.values(c.examples)[0].value);
  return v === undefined ? undefined : el('pre', {}, typeof v === 'string' ? v : JSON.stringify(v, null, 2));
}

function operation(doc, path, method, item, op) {
  const s = el('section', { id: op.operationId }, el('h3', {}, el('span', { class: 'method' }, method.toUpperCase()), path), el('p', {}, op.summary || ''), el('p', {}, op.description || ''));
  const parameters = [...(item.parameters || []), ...(op.parameters || [])].map((p) => resolve(doc, p));
  if (parameters.length) {
    s.append(rows(['parameter', 'in', 'value', ''], parameters.map((p) => [p.name, p.in, typeOf(doc, p.schema), p.description])));
  }
  if (op.requestBody) s.append(el('p', {}, `Body: ${typeOf(doc, Object.values(op.requestBody.content)[0].schema)}. ${op.requestBody.description || ''}`), example(op.requestBody.content) || '');
  s.append(rows(['answer', '', 'body'], Object.entries(op.responses).map(([code, r]) => {
    r = resolve(doc, r);
    const c = r.content && Object.values(r.content)[0];
    return [code, r.description, c ? typeOf(doc, c.schema) : ''];
  })));
  for (const r of Object.values(op.responses)) {
    const shown = example(resolve(doc, r).content);
    if (shown) {
      s.append(shown);
      break;
    }
  }
  return s;
}

function schema(doc, name, s) {
  const section = el('section', { id: `schema-${name}` }, el('h3', {}, name), el('p', {}, s.description || ''));
  const required = new Set(s.required || []);
  const members = Object.entries(s.properties || {});
  if (members.length) {
    section.append(rows(['member', 'value', ''], members.map(([k, v]) => [required.has(k) ? `${k} *` : k, typeOf(doc, v), v.description])));
  } else {
    section.append(el('p', {}, typeOf(doc, s)));
  }
  return section;
}

async function show() {
  const main = document.getElementById('main');
  const response = await fetch('/openapi.json');
  if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
  const doc = await response.json();
  document.getElementById('title').textContent = doc.info.title;
  main.replaceChildren(el('p', {}, doc.info.description || ''));
  const list = el('ul', {});
  for (const tag of doc.tags) {
    main.append(el('h2', {}, tag.name));
    for (const [path, item] of Object.entries(doc.paths)) {
      for (const method of ['get', 'post', 'delete']) {
        const op = item[method];
        if (!op || op.tags[0] !== tag.name) continue;
        list.append(el('li', {}, el('a', { href: `#${op.operationId}` }, `${method.toUpperCase()} ${path}`)));
        main.append(operation(doc, path, method, item, op));
      }
    }
  }
  main.append(el('h2', {}, 'schemas'), ...Object.entries(doc.components.schemas).map(([name, s]) => schema(doc, name, s)));
  document.getElementById('nav').append(list);
}

show().catch((err) => {
  document.getElementById('main').textContent = `This page can't be shown: ${err.message}`;
});
