import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { packTar } from 'modern-tar'
import { createSystem } from '../app/system.ts'
import { createFolderBlobStore } from '../blobs/folder.ts'
import type { RevisionTemplate } from '../model/function.ts'
import { fetchSource } from './fetch-source.ts'
import { archiveCommit } from './git-archive.ts'

const system = createSystem()
const root = await mkdtemp(join(tmpdir(), 'kaon-source-'))
const blobs = createFolderBlobStore({ ...system, folder: join(root, 'blobs') })
const environment = { PATH: process.env['PATH'] ?? '', HOME: root }
after(() => rm(root, { recursive: true, force: true }))

let next = 0
async function fetchFrom(source: object, handler = 'handler.ts') {
  const workFolder = join(root, String(next++))
  await mkdir(workFolder)
  const spec = { handler, source } as RevisionTemplate
  const request = { spec, inlineFile: 'handler.ts', workFolder, log: () => {}, signal: new AbortController().signal }
  const fetched = await fetchSource(request, { ...system, blobs, environment })
  return { ...fetched, left: await readdir(workFolder) }
}

const archive = gzipSync(await packTar([{ header: { name: 'repo-1.2/handler.ts', size: 4, type: 'file' }, body: 'code' }]))
const sha256 = createHash('sha256').update(archive).digest('hex')

async function serve(answer: http.RequestListener) {
  const server = http.createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const git = (folder: string, ...args: string[]) =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { encoding: 'utf8' }).trim()

async function makeRepository() {
  const folder = join(root, `repository-${next++}`)
  await mkdir(join(folder, 'app'), { recursive: true })
  git(folder, 'init', '-q', '-b', 'main')
  await writeFile(join(folder, 'app', 'handler.ts'), 'one')
  git(folder, 'add', '.')
  git(folder, 'commit', '-q', '-m', 'one')
  git(folder, 'tag', 'v1')
  const first = git(folder, 'rev-parse', 'HEAD')
  await writeFile(join(folder, 'app', 'handler.ts'), 'two')
  git(folder, 'commit', '-q', '-am', 'two')
  return { folder, url: `file://${folder}`, first, second: git(folder, 'rev-parse', 'HEAD') }
}

test('inline code gets the name that the handler says, else the usual one', async () => {
  const { folder, source } = await fetchFrom({ inline: 'code' })
  assert.deepEqual([await readFile(join(folder, 'handler.ts'), 'utf8'), source], ['code', 'inline'])
  assert.deepEqual(await readdir((await fetchFrom({ inline: 'code' }, 'main.mjs#run')).folder), ['main.mjs'])
  assert.deepEqual(await readdir((await fetchFrom({ inline: 'code' }, '../../main.mjs')).folder), ['handler.ts'])
})

test('an upload is unpacked as it is, and one that is not there is named', async () => {
  const { digest } = await blobs.put(
    (async function* () {
      yield archive
    })(),
    1_000_000,
  )
  const { folder, source, left } = await fetchFrom({ upload: digest })
  assert.deepEqual([await readdir(folder), source, left], [['repo-1.2'], digest, ['source']])
  await assert.rejects(fetchFrom({ upload: `sha256:${'0'.repeat(64)}` }), { code: 'source_missing', hint: /kaon deploy/ })
  await assert.rejects(fetchFrom({ path: './src' }), { code: 'source_missing', message: /not uploaded/ })
  await assert.rejects(fetchFrom({}), { code: 'source_missing' })
})

test('an archive is downloaded, checked, and its single top folder taken off', async () => {
  const origin = await serve((request, response) => {
    const hops = Number(/^\/hop\/(\d+)/.exec(request.url ?? '')?.[1] ?? 0)
    if (hops > 0) response.writeHead(302, { location: hops === 1 ? '/a.tar.gz' : `/hop/${hops - 1}` }).end()
    else if (request.url === '/out') response.writeHead(302, { location: 'http://example.org/a.tar.gz' }).end()
    else if (request.url?.startsWith('/none')) response.writeHead(404).end()
    else response.end(archive)
  })
  const from = (path: string, sum = sha256) => fetchFrom({ archive: { url: origin + path, sha256: sum } })
  const { folder, source } = await from('/hop/3')
  assert.deepEqual([await readFile(join(folder, 'handler.ts'), 'utf8'), source], ['code', `sha256:${sha256}`])
  await assert.rejects(from('/hop/4'), { code: 'source_missing', message: /redirects more than 3/ })
  await assert.rejects(from('/out'), { code: 'source_missing', message: /'http:\/\/example\.org\/a\.tar\.gz' is not https/ })
  await assert.rejects(
    from('/none?token=secret'),
    (error: Error) => /answered 404/.test(error.message) && !error.message.includes('secret'),
  )
  await assert.rejects(from('/a.tar.gz', '0'.repeat(64)), { code: 'checksum_mismatch', message: new RegExp(sha256) })
  await assert.rejects(fetchFrom({ archive: { url: 'http://127.0.0.1:1/x', sha256 } }), { code: 'source_missing' })
})

test('an endless download is ended at the limit', async () => {
  const origin = await serve((_request, response) => {
    const chunk = Buffer.alloc(1_000_000)
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', more).on('error', () => {})
    more()
  })
  await assert.rejects(fetchFrom({ archive: { url: origin, sha256 } }), { code: 'archive_too_large' })
})

test('a commit is fetched by branch, tag or id, a folder of it on its own', async () => {
  const { url, first, second } = await makeRepository()
  const head = await fetchFrom({ git: { url, path: 'app' } })
  assert.deepEqual([await readFile(join(head.folder, 'handler.ts'), 'utf8'), head.source, head.left], ['two', second, ['source']])
  for (const ref of ['v1', first]) {
    const { folder, source } = await fetchFrom({ git: { url, ref } })
    assert.deepEqual([await readFile(join(folder, 'app/handler.ts'), 'utf8'), source], ['one', first])
  }
})

test('what git cannot fetch is told in its words, without credentials', async () => {
  const { url } = await makeRepository()
  await assert.rejects(fetchFrom({ git: { url, ref: 'nowhere' } }), { code: 'source_missing', message: /at 'nowhere'.*nowhere/s })
  await assert.rejects(fetchFrom({ git: { url, path: 'nowhere' } }), { code: 'source_missing', message: /nowhere/ })
  await assert.rejects(fetchFrom({ git: { url, path: '../../etc' } }), { code: 'source_missing', message: /within the repository/ })
  const secret = { git: { url: 'https://user:hunter22@127.0.0.1:1/x.git' } }
  await assert.rejects(
    fetchFrom(secret),
    (error: Error & { code: string }) => error.code === 'source_missing' && !error.message.includes('hunter22'),
  )
})

test('git uses no protocol but those that are allowed, and runs nothing of the repository', async () => {
  await assert.rejects(fetchFrom({ git: { url: 'http://example.org/x.git' } }), { code: 'source_missing', message: /plain http/ })
  const marker = join(root, 'ran')
  await assert.rejects(fetchFrom({ git: { url: `ext::touch ${marker}` } }), { code: 'source_missing', message: /ext/ })
  await assert.rejects(fetchFrom({ git: { url: `--upload-pack=touch ${marker}` } }), { code: 'source_missing' })
  const { folder, url } = await makeRepository()
  await writeFile(join(folder, '.gitattributes'), '* filter=evil export-subst\n')
  await writeFile(join(root, '.gitconfig'), `[filter "evil"]\n\tsmudge = touch ${marker}\n[safe]\n\tdirectory = *\n`)
  git(folder, 'add', '.')
  git(folder, 'commit', '-q', '-m', 'filter')
  const fetched = await fetchFrom({ git: { url } })
  await rm(join(root, '.gitconfig'))
  assert.equal(await readFile(join(fetched.folder, 'app/handler.ts'), 'utf8'), 'two')
  assert.ok(!(await readdir(root)).includes('ran'))
})

test('a link out of the repository is refused', async () => {
  const { folder, url } = await makeRepository()
  execFileSync('ln', ['-s', '/etc/passwd', join(folder, 'app/secret')])
  git(folder, 'add', '.')
  git(folder, 'commit', '-q', '-m', 'link')
  await assert.rejects(fetchFrom({ git: { url } }), { code: 'archive_unsafe', message: /'app\/secret'/ })
})

test('a commit that is too large is refused before anything of it is packed', async () => {
  const { folder, url } = await makeRepository()
  const refused = async (message: RegExp) => {
    await assert.rejects(fetchFrom({ git: { url } }), { code: 'archive_too_large', message })
    assert.deepEqual(await readdir(join(root, String(next - 1))), ['repository'])
  }
  await writeFile(join(folder, 'zeroes'), '')
  await truncate(join(folder, 'zeroes'), 101_000_000)
  git(folder, 'add', '.')
  git(folder, '-c', 'core.compression=1', 'commit', '-q', '-m', 'zeroes')
  await refused(/more than 100000000 bytes/)
  // Trees within trees: 40 objects and 30³ files.
  const write = (lines: string[]) => execFileSync('git', ['-C', folder, 'mktree'], { input: lines.join('\n'), encoding: 'utf8' }).trim()
  let entry = `100644 blob ${git(folder, 'rev-parse', 'HEAD:app/handler.ts')}`
  let tree = ''
  for (let depth = 0; depth < 3; depth++) {
    tree = write(Array.from({ length: 30 }, (_, i) => `${entry}\t${i}`))
    entry = `040000 tree ${tree}`
  }
  git(folder, 'update-ref', 'refs/heads/main', git(folder, 'commit-tree', tree, '-m', 'bomb'))
  await refused(/more than 20000 files/)
})

test('a fetch that brings more than the limit is ended while it runs', async () => {
  const { folder } = await makeRepository()
  await writeFile(join(folder, 'noise'), randomBytes(4_000_000))
  git(folder, 'add', '.')
  git(folder, 'commit', '-q', '-m', 'noise')
  // In the place of ssh: sends the half and then holds on.
  const stalling = join(root, 'stalling.cjs')
  await writeFile(
    stalling,
    `const { stdout } = require('node:child_process').spawn('sh', ['-c', process.argv.at(-1)], { stdio: ['inherit', 'pipe', 'inherit'] })
     let left = 2_000_000
     stdout.on('data', (chunk) => { process.stdout.write(chunk); if ((left -= chunk.length) < 0) stdout.pause() })
     setTimeout(() => {}, 30_000)`,
  )
  const ssh = { ...environment, GIT_SSH_COMMAND: `'${process.execPath}' '${stalling}'`, GIT_SSH_VARIANT: 'simple' }
  const started = performance.now()
  const request = {
    git: { url: `ssh://host${folder}` },
    repository: join(root, 'fetched'),
    archive: join(root, 'fetched.tar'),
    maxRepositoryBytes: 1_000_000,
    log: () => {},
    signal: new AbortController().signal,
  }
  await assert.rejects(archiveCommit(request, { ...system, environment: ssh }), { code: 'archive_too_large', message: /1000000 bytes/ })
  assert.ok(performance.now() - started < 20_000)
})

test('a redirect of a plain address is not followed', async () => {
  const asked: string[] = []
  const elsewhere = await serve((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(404).end()
  })
  const origin = await serve((request, response) => response.writeHead(302, { location: elsewhere + request.url }).end())
  await assert.rejects(fetchFrom({ git: { url: `${origin}/x.git` } }), { code: 'source_missing' })
  assert.deepEqual(asked, [])
})
