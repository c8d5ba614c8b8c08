// The control plane's process, started by the launcher.
import { pathToFileURL } from 'node:url'
import { runChild } from './child-main.ts'
import { buildEnvironment } from './config.ts'
import { startControlPlane } from './control-plane.ts'

await runChild('control-plane', async ({ config, gatewayUrl, version, storeThread }, system, log) => {
  const options = {
    config,
    gatewayUrl,
    version,
    ...(storeThread === undefined ? {} : { storeThread: pathToFileURL(storeThread) }),
    buildEnvironment: buildEnvironment(process.env),
    onStoreLost: (error: Error) => {
      log.error('The store is lost; starting anew.', { error })
      process.exit(1)
    },
  }
  const { apiPort, stop } = await startControlPlane(options, system, log)
  return { port: apiPort, stop: (end) => stop({ stopReplicas: end === 'stopped' }) }
})
