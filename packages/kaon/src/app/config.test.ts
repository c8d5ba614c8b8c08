import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildEnvironment, type ConfigSources, childEnvironment, readConfig, runFolderOf } from './config.ts'

function sources(more: Partial<ConfigSources> & { contents?: Record<string, string> } = {}): ConfigSources {
  const { contents = {}, ...rest } = more
  const readFile = async (path: string) => {
    const content = contents[path]
    if (content === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
    return content
  }
  return { flags: {}, environment: { HOME: '/home/ada' }, workingFolder: '/work', files: { readFile } as never, ...rest }
}

test('without anything said there are defaults, on loopback', async () => {
  const config = await readConfig(sources())
  assert.deepEqual(config, {
    dataFolder: '/home/ada/.local/share/kaon',
    runFolder: '/home/ada/.local/share/kaon/run',
    host: '127.0.0.1',
    port: 8070,
    gatewayHost: '127.0.0.1',
    gatewayPort: 8080,
    domain: 'localhost',
    allowedHosts: [],
    poolSize: 1,
    logLevel: 'info',
  })
  assert.ok(Object.isFrozen(config))
})

test('a flag goes before a variable, a variable before the file', async () => {
  const contents = { '/home/ada/.config/kaon/config.yaml': 'port: 1\ngatewayPort: 2\npoolSize: 3\nallowedHosts: [a.example, b.example]\n' }
  const config = await readConfig(
    sources({
      flags: { port: '11', data: 'here' },
      environment: { HOME: '/home/ada', KAON_PORT: '12', KAON_GATEWAY_PORT: '13' },
      contents,
    }),
  )
  const { port, gatewayPort, poolSize, dataFolder, allowedHosts } = config
  assert.deepEqual(
    { port, gatewayPort, poolSize, dataFolder, allowedHosts },
    { port: 11, gatewayPort: 13, poolSize: 3, dataFolder: '/work/here', allowedHosts: ['a.example', 'b.example'] },
  )
})

test('XDG_DATA_HOME moves the data folder', async () => {
  assert.equal((await readConfig(sources({ environment: { XDG_DATA_HOME: '/data' } }))).dataFolder, '/data/kaon')
})

test('beyond loopback the API needs a token, of which only the digest is kept', async () => {
  await assert.rejects(readConfig(sources({ flags: { host: '0.0.0.0' } })), { code: 'usage', hint: /--token-file or KAON_TOKEN/ })
  const config = await readConfig(
    sources({ flags: { host: '0.0.0.0' }, environment: { HOME: '/h', KAON_TOKEN: 'correct horse'.replace(' ', '-battery-') } }),
  )
  assert.match(config.tokenDigest ?? '', /^[0-9a-f]{64}$/)
  assert.doesNotMatch(JSON.stringify(config), /battery/)
  const fromFile = await readConfig(sources({ flags: { 'token-file': 'token' }, contents: { '/work/token': 'correct-battery-horse\n' } }))
  assert.equal(fromFile.tokenDigest, config.tokenDigest)
})

test('what cannot be used is refused by its name', async () => {
  const wrong = (flags: ConfigSources['flags']) => readConfig(sources({ flags }))
  await assert.rejects(wrong({ port: '70000' }), { code: 'usage', message: "Give '--port' a whole number from 0 to 65535, not '70000'." })
  await assert.rejects(wrong({ port: '80x' }), { code: 'usage' })
  await assert.rejects(wrong({ 'log-level': 'loud' }), { code: 'usage', message: /debug, info, warn, error, not 'loud'/ })
  await assert.rejects(wrong({ domain: 'Not_a_domain' }), { code: 'usage' })
  await assert.rejects(wrong({ 'token-file': 'none' }), { code: 'config_invalid', message: /'\/work\/none': ENOENT/ })
  await assert.rejects(wrong({ config: 'none.yaml' }), { code: 'config_invalid' })
})

test('a file that is wrong is told with its line, and an unknown setting with the one that was meant', async () => {
  const wrong = (text: string) => readConfig(sources({ flags: { config: 'kaon.yaml' }, contents: { '/work/kaon.yaml': text } }))
  await assert.rejects(wrong('port: 1\nhost: [a\n'), { code: 'config_invalid', message: /^\/work\/kaon\.yaml:\d+:\d+: / })
  await assert.rejects(wrong('prot: 1\n'), { code: 'config_invalid', hint: "Did you mean 'port'?" })
  await assert.rejects(wrong('- port\n'), { code: 'config_invalid' })
})

test('the path of a socket stays below what systems allow, however long the data folder is', () => {
  for (const folder of ['/short', `/${'long/'.repeat(40)}`]) {
    const socket = `${runFolderOf(folder)}/w-abcdefghij-63-100000.sock`
    assert.ok(Buffer.byteLength(socket) < 100, socket)
  }
  assert.notEqual(runFolderOf(`/${'a'.repeat(80)}`), runFolderOf(`/${'b'.repeat(80)}`))
})

test('neither builds nor the processes of the platform get the token', () => {
  const environment = {
    PATH: '/bin',
    KAON_TOKEN: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
    npm_config_registry: 'http://r',
    HTTPS_PROXY: 'http://p',
  }
  assert.deepEqual(buildEnvironment(environment), { PATH: '/bin', npm_config_registry: 'http://r', HTTPS_PROXY: 'http://p' })
  assert.equal(childEnvironment(environment)['KAON_TOKEN'], undefined)
})
