import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root, TestPlatform } from './harness/platform.ts'
import { until } from './harness/wait.ts'

// Every sample is called through the gateway with real input, and its answer held against an independent tool or a golden file.
const platform = new TestPlatform(['--samples'])
const golden = (name: string) => readFileSync(join(root, 'test/e2e/golden', name))

before(async () => {
  await platform.start()
  await until(
    'all samples to be ready',
    async () => {
      const list = (await platform.api('/apis/kaon.dev/v1/namespaces/default/functions')).json<{
        items: { metadata: { name: string }; status?: { conditions?: { type: string; status: string }[] } }[]
      }>()
      const ready = list.items.filter((item) => item.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'))
      return ready.length === 10
    },
    90_000,
  )
})
after(() => platform[Symbol.asyncDispose]())

test('hello greets, and refuses a name that is too long', async () => {
  const good = await platform.call('hello', '/?name=Ada')
  assert.equal(good.status, 200)
  assert.deepEqual(good.json(), { greeting: 'Hello, Ada!' })
  const bad = await platform.call('hello', `/?name=${'x'.repeat(101)}`)
  assert.equal(bad.status, 400)
  assert.equal(bad.headers['content-type'], 'application/problem+json')
  assert.match(bad.text, /at most 100 characters/)
})

test('api-router keeps notes, and refuses one without text', async () => {
  const made = await platform.call('api-router', '/notes', {
    body: JSON.stringify({ text: 'milk' }),
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(made.status, 201)
  const { id } = made.json<{ id: number }>()
  assert.equal(made.headers.location, `/notes/${id}`)
  assert.deepEqual((await platform.call('api-router', `/notes/${id}/done`, { method: 'PUT' })).json(), { id, text: 'milk', done: true })
  assert.deepEqual((await platform.call('api-router', '/notes')).json(), [{ id, text: 'milk', done: true }])
  assert.equal((await platform.call('api-router', `/notes/${id}`, { method: 'DELETE' })).status, 204)
  assert.equal((await platform.call('api-router', `/notes/${id}`)).status, 404)
  assert.equal((await platform.call('api-router', '/notes', { body: '{"text":""}' })).status, 400)
  assert.equal((await platform.call('api-router', '/notes', { body: 'no json' })).status, 400)
})

test('webhook takes what openssl signed, and refuses another signature', async () => {
  const body = JSON.stringify({ ref: 'refs/heads/main', commits: [{ id: '1', message: 'Fix the door\n\nIt stuck.' }] })
  const digest = execFileSync('openssl', ['dgst', '-sha256', '-hmac', 'it-is-a-sample'], { input: body })
    .toString()
    .trim()
    .split(' ')
    .at(-1)
  const good = await platform.call('webhook', '/', {
    body,
    headers: { 'x-hub-signature-256': `sha256=${digest}`, 'content-type': 'application/json' },
  })
  assert.equal(good.status, 200, good.text)
  assert.deepEqual(good.json(), { branch: 'main', subjects: ['Fix the door'] })
  const bad = await platform.call('webhook', '/', { body: `${body} `, headers: { 'x-hub-signature-256': `sha256=${digest}` } })
  assert.equal(bad.status, 401)
})

test('markdown makes the golden page, shows HTML as text, and refuses a picture', async () => {
  const good = await platform.call('markdown', '/', { body: golden('markdown.md'), headers: { 'content-type': 'text/markdown' } })
  assert.equal(good.status, 200, good.text)
  assert.equal(good.text, golden('markdown.html').toString())
  const bad = await platform.call('markdown', '/', { body: 'x', headers: { 'content-type': 'image/png' } })
  assert.equal(bad.status, 415)
})

test('thumbnail makes the golden picture, and refuses what is no PNG or a broken one', async () => {
  const photo = golden('photo.png')
  const good = await platform.call('thumbnail', '/?width=8', { body: photo })
  assert.equal(good.status, 200, good.text)
  assert.equal(good.headers['content-type'], 'image/png')
  assert.deepEqual(pixels(good.body), pixels(golden('thumbnail.png')))
  assert.equal((await platform.call('thumbnail', '/', { body: 'GIF89a' })).status, 415)
  assert.equal((await platform.call('thumbnail', '/', { body: photo.subarray(0, 60) })).status, 422)
  assert.equal((await platform.call('thumbnail', '/?width=0', { body: photo })).status, 400)
})

/** Raw pixels by Python's zlib: an independent reader of the pictures that both sides make. */
function pixels(png: Buffer): { width: number; height: number; bytes: string } {
  const script = `
import sys,struct,zlib,json
d=sys.stdin.buffer.read();i=8;z=b''
while i<len(d):
    n,t=struct.unpack('>I4s',d[i:i+8]);c=d[i+8:i+8+n];i+=12+n
    if t==b'IHDR': w,h,b,k=struct.unpack('>IIBB',c[:10])
    if t==b'IDAT': z+=c
assert b==8 and k==6
raw=zlib.decompress(z);s=w*4;p=bytearray(s);out=bytearray()
for y in range(h):
    f=raw[y*(s+1)];l=bytearray(raw[y*(s+1)+1:(y+1)*(s+1)])
    for x in range(s):
        a=l[x-4] if x>=4 else 0;u=p[x];q=p[x-4] if x>=4 else 0
        if f==1:l[x]=(l[x]+a)&255
        elif f==2:l[x]=(l[x]+u)&255
        elif f==3:l[x]=(l[x]+(a+u)//2)&255
        elif f==4:
            e=a+u-q;pa,pu,pq=abs(e-a),abs(e-u),abs(e-q)
            l[x]=(l[x]+(a if pa<=pu and pa<=pq else u if pu<=pq else q))&255
    out+=l;p=l
print(json.dumps({'width':w,'height':h,'bytes':out.hex()}))`
  return JSON.parse(execFileSync('python3', ['-c', script], { input: png }).toString())
}

test('primes streams what coreutils calls prime, and refuses a count out of range', async () => {
  const good = await platform.call('primes', '/?from=1000&count=200')
  assert.equal(good.status, 200)
  const found = good.text.trim().split('\n')
  const factored = execFileSync('factor', found).toString().trim().split('\n')
  assert.ok(factored.every((line) => line.split(': ')[1] === line.split(':')[0]))
  assert.equal(found.length, 200)
  assert.deepEqual([found[0], found.at(-1)], ['1009', '2503'])
  assert.equal((await platform.call('primes', '/?count=0')).status, 400)
})

test('csv-stats adds up as awk does, over a streamed upload, and refuses a ragged row', async () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => `${i},${(i * 7919) % 1000},item-${i % 10}`)
  const csv = `id,amount,name\n${rows.join('\n')}\n`
  const good = await platform.call('csv-stats', '/', { body: csv })
  assert.equal(good.status, 200, good.text)
  const { rows: count, columns } = good.json<{ rows: number; columns: { name: string; sum: number; min: number; max: number }[] }>()
  const sum = Number(execFileSync('awk', ['-F,', 'NR>1{s+=$2} END{printf "%d", s}'], { input: csv, maxBuffer: 1e8 }).toString())
  assert.equal(count, 200_000)
  assert.deepEqual(
    columns.map((c) => c.name),
    ['id', 'amount'],
  )
  assert.deepEqual({ sum: columns[1]?.sum, min: columns[1]?.min, max: columns[1]?.max }, { sum, min: 0, max: 999 })
  const bad = await platform.call('csv-stats', '/', { body: 'a,b\n1\n' })
  assert.equal(bad.status, 422)
  assert.match(bad.text, /Row 1 has 1 cells/)
})

test('nightly-report reads its config map, and refuses a sale without an amount', async () => {
  const sales = [
    { product: 'pears', amount: 12.5 },
    { product: 'apples', amount: 80 },
    { product: 'apples', amount: 25 },
  ]
  const good = await platform.call('nightly-report', '/', { body: JSON.stringify(sales) })
  assert.equal(good.status, 200, good.text)
  assert.equal(good.text, golden('report.txt').toString())
  const bad = await platform.call('nightly-report', '/', { body: '[{"product":"x"}]' })
  assert.equal(bad.status, 422)
})

test('shortener redirects, and refuses what is no URL', async () => {
  const made = await platform.call('shortener', '/', { body: 'https://example.com/a?b=c' })
  assert.equal(made.status, 201, made.text)
  const followed = await platform.call('shortener', `/${made.json<{ code: string }>().code}`)
  assert.equal(followed.status, 302)
  assert.equal(followed.headers.location, 'https://example.com/a?b=c')
  assert.equal((await platform.call('shortener', '/', { body: 'javascript:alert(1)' })).status, 400)
  assert.equal((await platform.call('shortener', '/nothing')).status, 404)
})

test('greet-many calls hello for each name, and passes its refusal on', async () => {
  const good = await platform.call('greet-many', '/', { body: '["Ada","Grace"]' })
  assert.equal(good.status, 200, good.text)
  assert.deepEqual(good.json(), ['Hello, Ada!', 'Hello, Grace!'])
  assert.equal((await platform.call('greet-many', '/', { body: JSON.stringify(['x'.repeat(200)]) })).status, 400)
  assert.equal((await platform.call('greet-many', '/', { body: '{' })).status, 400)
})
