// How long until something answers: a cold `npm start`, `kaon deploy` of one file, and a save in `kaon dev`. Wall time, seen from outside.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { plainEnvironment } from '../test/e2e/harness/environment.ts'
import { call } from '../test/e2e/harness/http.ts'
import { root, TestPlatform } from '../test/e2e/harness/platform.ts'
import { show, spread, table } from './measure.ts'

const poll = async (check: () => Promise<boolean>, deadlineMs: number) => {
  const end = performance.now() + deadlineMs
  while (performance.now() < end) {
    if (await check().catch(() => false)) return performance.now()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('no answer in time')
}

async function coldStart(): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), 'kaon-cold-'))
  const data = join(home, 'data')
  const begin = performance.now()
  const env = {
    ...process.env,
    HOME: home,
    npm_config_cache: join(process.env.HOME ?? '', '.npm'),
    KAON_DATA: data,
    KAON_PORT: '0',
    KAON_GATEWAY_PORT: '0',
  }
  const child = spawn('npm', ['start'], { cwd: root, env, stdio: 'ignore', detached: true })
  try {
    const at = await poll(async () => {
      const { gatewayUrl } = JSON.parse(readFileSync(join(data, 'platform.json'), 'utf8'))
      return (await call(`http://hello.default.localhost:${new URL(gatewayUrl).port}/`)).text === '{"greeting":"Hello, world!"}'
    }, 60_000)
    return at - begin
  } finally {
    const { pid } = JSON.parse(readFileSync(join(data, 'platform.json'), 'utf8'))
    process.kill(pid, 'SIGTERM')
    await new Promise((resolve) => child.on('close', resolve))
    rmSync(home, { recursive: true, force: true })
  }
}

async function deploys(platform: TestPlatform, rounds: number): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-deploy-'))
  const times: number[] = []
  for (let i = 0; i < rounds; i++) {
    const name = `bench-${i}`
    const file = join(folder, `${name}.ts`)
    writeFileSync(file, `export default (): string => 'answer ${i}'\n`)
    const begin = performance.now()
    const deployed = platform.must(['deploy', file])
    const at = await poll(async () => (await platform.call(name)).text === `answer ${i}`, 20_000)
    times.push(at - begin)
    await deployed
    await platform.must(['delete', 'function', name])
  }
  return times
}

async function saves(platform: TestPlatform, rounds: number): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-dev-'))
  const file = join(folder, 'saved.ts')
  writeFileSync(file, `export default () => 'version 0'\n`)
  const child = spawn(process.execPath, [join(root, 'packages/kaon/bin/kaon.js'), 'dev', file], {
    env: { ...plainEnvironment(), ...platform.env },
    stdio: 'ignore',
  })
  const times: number[] = []
  try {
    await poll(async () => (await platform.call('saved')).text === 'version 0', 20_000)
    for (let i = 1; i <= rounds; i++) {
      await new Promise((resolve) => setTimeout(resolve, 700))
      const begin = performance.now()
      writeFileSync(file, `export default () => 'version ${i}'\n`)
      times.push((await poll(async () => (await platform.call('saved')).text === `version ${i}`, 20_000)) - begin)
    }
  } finally {
    child.kill('SIGINT')
  }
  return times
}

export async function firstAnswer(): Promise<string> {
  const cold: number[] = []
  for (let i = 0; i < 5; i++) cold.push(await coldStart())
  await using platform = await new TestPlatform().start()
  await deploys(platform, 2)
  const deployed = await deploys(platform, 9)
  const saved = await saves(platform, 9)
  return table(
    ['from', 'to', 'ms', 'bar'],
    [
      ['`npm start`, no data folder', 'first answer of `hello` (ten samples deploying)', show(spread(cold)), '2,000'],
      ['`kaon deploy` of one TypeScript file', 'its first answer', show(spread(deployed)), '300'],
      ['a save under `kaon dev`', 'the new answer', show(spread(saved)), '200'],
    ],
  )
}
