import { createSystem } from '../app/system.ts'
import { KaonError } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import { testPlatform } from './conformance.ts'
import { FakePlatform } from './fake.ts'

const { clock } = createSystem()

testPlatform('fake', async () => {
  const platform = new FakePlatform({
    clock,
    async start({ revision, artifactFolder }, log) {
      if (artifactFolder === 'broken') throw new KaonError('handler_invalid', 'The handler is not a function.')
      log({ ts: isoTime(clock.now()), level: 'info', msg: 'started', revision, replica: 'fake' })
    },
  })
  return {
    platform,
    wanted({ revision, count, configVersion = '1', isBroken }) {
      const about = { namespace: 'default', function: 'hello', revision, revisionUid: revision }
      const assign = async () => ({ ...about, artifactFolder: isBroken ? 'broken' : 'good' }) as ReplicaAssignment
      return { ...about, count, configVersion, assign }
    },
    [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
  }
})
