// What the standard distribution gives a program, a line each. Without arguments: all that there is here. With the name of such a list:
// what of it is not there.
const { builtinModules } = require('node:module')
const crypto = require('node:crypto')
const fs = require('node:fs')
const { execSync } = require('node:child_process')

const offered = new Set()
const add = (kind, names) => { for (const name of names) offered.add(`${kind} ${name}`) }

// _http_agent and the like are old names for parts of others.
add('module', builtinModules.filter((name) => { require(name); return !name.startsWith('_') }))
add('global', Object.getOwnPropertyNames(globalThis))
add('version', Object.keys(process.versions))
add('feature', Object.entries(process.features).map(([name, is]) => `${name}=${is}`))
add('cipher', crypto.getCiphers().filter((name) => crypto.getCipherInfo(name)))
add('hash', crypto.getHashes().filter((name) => crypto.createHash(name)))
add('curve', crypto.getCurves())
add('tls-cipher', require('node:tls').getCiphers())
add('certificate', require('node:tls').rootCertificates.map((pem) => new crypto.X509Certificate(pem).fingerprint256))
add('signal', Object.keys(require('node:os').constants.signals))
add('compression', ['gzip', 'deflate', 'deflateRaw', 'brotliCompress', 'zstdCompress'].filter((name) => require('node:zlib')[`${name}Sync`]('x').length))
for (const key of ['calendar', 'collation', 'currency', 'numberingSystem', 'timeZone', 'unit']) add(key, Intl.supportedValuesOf(key))

// Locales by what they print: one that is there by its name alone would speak English.
const day = new Date(Date.UTC(2024, 2, 5))
const text = (l) => [l, new Intl.NumberFormat(l, { style: 'currency', currency: 'EUR' }).format(12324.134),
  day.toLocaleDateString(l, { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' }), new Intl.DisplayNames(l, { type: 'language' }).of('en'),
  ['z', '\u00e4', 'a'].sort(new Intl.Collator(l).compare).join('')].join(' | ')
const letters = [...'abcdefghijklmnopqrstuvwxyz']
const languages = letters.flatMap((a) => letters.flatMap((b) => [a + b, ...letters.map((c) => a + b + c)]))
add('text', Intl.NumberFormat.supportedLocalesOf([...languages, 'de-AT', 'de-CH', 'en-GB', 'en-IN', 'es-MX', 'fr-CA', 'pt-BR', 'pt-PT', 'sr-Latn', 'zh-Hant']).map(text))

// The labels of the Encoding Standard, a few of each family.
add('encoding', ['utf-8', 'utf-16le', 'utf-16be', 'latin1', 'windows-1251', 'iso-8859-15', 'koi8-r', 'macintosh', 'gbk', 'gb18030', 'big5', 'euc-jp', 'shift_jis', 'iso-2022-jp', 'euc-kr']
  .filter((label) => { try { return new TextDecoder(label) } catch { return false } }))

// What a program that Node.js starts knows of time zones comes from the C library.
add('date', ['US/Eastern', 'Europe/Paris', 'Asia/Calcutta', 'GB'].map((TZ) => `${TZ} ${execSync('date -d @1700000000 +%Z%z', { env: { ...process.env, TZ } })}`.trim()))

const [list] = process.argv.slice(2)
const wanted = list ? fs.readFileSync(list, 'utf8').trimEnd().split('\n').filter((line) => !offered.has(line)) : [...offered]
console.log(wanted.sort().join('\n'))
