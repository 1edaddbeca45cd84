// SPDX-License-Identifier: Apache-2.0
// Examples from the documentation of Node.js: path, url, querystring, util, Buffer, events, assert.
const path = require('path');
console.log(path.basename('/foo/bar/baz/asdf/quux.html', '.html'), path.join('/foo', 'bar', 'baz/asdf', 'quux', '..'), path.relative('/data/orandea/test/aaa', '/data/orandea/impl/bbb'));
//> quux /foo/bar/baz/asdf ../../impl/bbb
console.log(path.parse('/home/user/dir/file.txt').dir, path.extname('index.coffee.md'), path.resolve('/foo/bar', './baz'), path.normalize('/foo/bar//baz/asdf/quux/..'));
//> /home/user/dir .md /foo/bar/baz /foo/bar/baz/asdf
console.log(new URL('/foo', 'https://example.org/').href, new URL('https://測試').href, new URL('https://a:b@測試?abc#foo').hostname);
//> https://example.org/foo https://xn--g6w251d/ xn--g6w251d
console.log(new URLSearchParams([['user', 'abc'], ['query', 'first'], ['query', 'second']]).toString());
//> user=abc&query=first&query=second
console.log(require('querystring').stringify({ foo: 'bar', baz: ['qux', 'quux'], corge: '' }));
//> foo=bar&baz=qux&baz=quux&corge=
const util = require('util');
console.log('', util.format('%s:%s', 'foo'), util.format('%s:%s', 'foo', 'bar', 'baz'), util.format('%% %s'), util.format(1, 2, 3));
//>  foo:%s foo:bar baz %% %s 1 2 3
console.log(util.isDeepStrictEqual({ a: [1, new Map([[1, 2]])] }, { a: [1, new Map([[1, 2]])] }), util.inspect(new Map([['a', { b: [1, 2] }]])));
//> true Map(1) { 'a' => { b: [ 1, 2 ] } }
console.log(Buffer.from('tést').toString('base64'), Buffer.from('7468697320697320612074c3a97374', 'hex').toString(), Buffer.from([257, 257.5, -255, '1']));
//> dMOpc3Q= this is a tést <Buffer 01 01 01 01>
const buf = Buffer.allocUnsafe(4);
buf.writeInt32BE(-559038737);
console.log(buf.toString('hex'), buf.readUInt16LE(1).toString(16), Buffer.compare(Buffer.from('ABC'), Buffer.from('BCD')), Buffer.byteLength('½ + ¼ = ¾'));
//> deadbeef bead -1 12
const { EventEmitter, once } = require('events');
const e = new EventEmitter();
e.once('x', (...a) => console.log('once', ...a));
e.on('x', (...a) => console.log('on', ...a));
console.log(e.emit('x', 1, 2), e.emit('x', 3), e.emit('y'), e.listenerCount('x'));
//> once 1 2
//> on 1 2
//> on 3
//> true true false 1
try { require('assert').deepStrictEqual([1, 2], [1, '2']); } catch (err) { console.log(err.code); }
//> ERR_ASSERTION
console.log(structuredClone({ d: new Date(0), r: /x/g }).d.toISOString(), new TextDecoder().decode(new TextEncoder().encode('é€😀')), atob('aGk='));
//> 1970-01-01T00:00:00.000Z é€😀 hi
