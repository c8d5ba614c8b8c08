import { Condition, ObjectMeta, type Resource } from './metadata.ts'
import {
  archiveUrlPattern,
  choice,
  closed,
  digestPattern,
  duration,
  environmentNamePattern,
  gitRefPattern,
  gitUrlPattern,
  handlerPattern,
  mapOf,
  quantity,
  reserved,
  revisioned,
  type Static,
  subdomainPattern,
  Type,
  tagPattern,
  text,
  triggerNamePattern,
} from './schema.ts'

const reference = (what: string) =>
  closed(
    {
      name: text(`Name of the ${what}, in the function's namespace.`, { pattern: subdomainPattern, maxLength: 253 }),
      key: text(`Key within the ${what}.`, { minLength: 1, maxLength: 253 }),
    },
    { description: `A value of a ${what}.` },
  )

export const EnvironmentVariable = closed({
  name: text('Name of the variable.', { pattern: environmentNamePattern, maxLength: 255 }),
  value: Type.Optional(text('Its value.', { maxLength: 131_072 })),
  secret: Type.Optional(reference('secret')),
  config: Type.Optional(reference('config map')),
})

export const MountedFile = closed({
  path: text(
    'Where the handler finds it. A relative path is under the working directory; an absolute one is under $KAON_FILES where the platform cannot mount.',
    { minLength: 1, maxLength: 1024 },
  ),
  value: Type.Optional(text('The content itself.', { maxLength: 1_048_576 })),
  secret: Type.Optional(reference('secret')),
  config: Type.Optional(reference('config map')),
})

export const Source = closed(
  {
    inline: Type.Optional(text('Code in the resource itself.', { maxLength: 1_048_576 })),
    path: Type.Optional(text('A file or folder beside the YAML; the command line uploads it.', { minLength: 1, maxLength: 4096 })),
    upload: Type.Optional(text("Digest of an archive that was put to the function's `source` subresource.", { pattern: digestPattern })),
    archive: Type.Optional(
      closed({
        url: text('Where the archive is: https, or http on this machine. A .tar, .tar.gz or .zip.', {
          pattern: archiveUrlPattern,
          maxLength: 2048,
        }),
        sha256: text('Its checksum, hexadecimal.', { pattern: '^[0-9a-f]{64}$' }),
      }),
    ),
    git: Type.Optional(
      closed({
        url: text('The repository: https, ssh or file.', { pattern: gitUrlPattern, maxLength: 2048 }),
        ref: Type.Optional(text('Branch, tag or commit; the default branch when left out.', { pattern: gitRefPattern, maxLength: 255 })),
        path: Type.Optional(text('Folder within the repository.', { maxLength: 1024 })),
      }),
    ),
    image: reserved('comes with the container platforms', 'An OCI image built elsewhere.'),
  },
  { description: 'Exactly one of inline, path, upload, archive and git.' },
)

const Build = closed(
  {
    commands: Type.Optional(
      Type.Array(Type.Array(Type.String({ maxLength: 4096 }), { minItems: 1, maxItems: 64 }), {
        description: 'Commands run in the source folder before bundling, each a list of program and arguments; no shell is involved.',
        maxItems: 16,
      }),
    ),
    base: reserved('comes with the container platforms', 'Base image.'),
    dependencies: choice(['auto', 'none'], 'auto installs what the lock file says; none installs nothing.', { default: 'auto' }),
    scripts: Type.Boolean({ description: 'Whether lifecycle scripts of dependencies may run.', default: false }),
    cache: Type.Boolean({ description: 'Whether dependencies and artifacts of earlier builds may be used.', default: true }),
  },
  { default: {} },
)

const TrafficTarget = closed({
  revision: text("A revision's name, or latest.", { default: 'latest', pattern: subdomainPattern, maxLength: 63 }),
  percent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'Share of the requests; all shares make 100.' })),
  tag: Type.Optional(text('Gives the revision an address of its own.', { pattern: tagPattern })),
})
export type TrafficTarget = Static<typeof TrafficTarget>

const Trigger = closed({
  kind: choice(['http'], 'What feeds the function. Other kinds come with the event sources.'),
})

/** The fields that decide bytes or process. A Revision's spec is these, frozen. */
const revisionFields = {
  runtime: revisioned(choice(['node'], 'What runs the handler. Other languages come with their runtimes.', { default: 'node' })),
  handler: revisioned(text('File of the handler, or file#export.', { default: 'handler.ts', pattern: handlerPattern, maxLength: 512 })),
  dialect: revisioned(choice(['kaon'], "Whose handler conventions. Other systems' come with their dialects.", { default: 'kaon' })),
  source: revisioned(Source),
  build: revisioned(Build),
  env: revisioned(Type.Array(EnvironmentVariable, { default: [], maxItems: 1000, description: 'Environment of the handler.' })),
  files: revisioned(Type.Array(MountedFile, { default: [], maxItems: 100, description: 'Files the handler finds.' })),
  volumes: revisioned(reserved('comes with the container platforms', 'Volumes.')),
  resources: revisioned(
    closed(
      {
        cpu: Type.Optional(quantity('Share of a core; not yet enforced by the local platform.')),
        memory: quantity("Memory of one worker's heap.", { default: '128Mi' }),
        gpu: reserved('comes with the container platforms', 'Number of GPUs.'),
      },
      { default: {} },
    ),
  ),
  workers: revisioned(Type.Integer({ minimum: 1, maximum: 64, default: 1, description: 'Handlers side by side in one replica.' })),
  isolation: revisioned(choice(['thread', 'process'], 'What a worker is.', { default: 'thread' })),
  concurrency: revisioned(
    Type.Integer({ minimum: 0, maximum: 100_000, default: 100, description: 'Requests in flight in one replica; 0 is unlimited.' }),
  ),
  timeout: revisioned(duration('Of one invocation; then 504.', { default: '30s' })),
  security: revisioned(
    Type.Optional(
      closed({
        sandbox: choice(['process', 'strict', 'none'], 'process is what runs today; strict is refused until it exists.', {
          default: 'process',
        }),
        egress: reserved('comes with the sandboxes', 'Allowed destinations.'),
        user: reserved('comes with the sandboxes', 'User the handler runs as.'),
      }),
    ),
  ),
  placement: revisioned(reserved('comes with Kubernetes', 'Where replicas run.')),
}

/** Spec of a Revision, and the part of a Function's spec that makes one. */
export const RevisionTemplate = closed(revisionFields)
export type RevisionTemplate = Static<typeof RevisionTemplate>

const Scale = closed(
  {
    min: Type.Integer({ minimum: 0, maximum: 1000, default: 0, description: 'Fewest replicas.' }),
    max: Type.Integer({ minimum: 1, maximum: 1000, default: 10, description: 'Most replicas.' }),
    initial: Type.Integer({ minimum: 0, maximum: 1000, default: 1, description: 'Replicas of a new revision.' }),
    metric: choice(['concurrency', 'rps', 'cpu', 'memory', 'lag', 'prometheus'], 'What the autoscaler looks at.', {
      default: 'concurrency',
    }),
    target: Type.Number({ exclusiveMinimum: 0, default: 100, description: 'Wanted value of the metric for one replica.' }),
    utilization: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 0.7, description: 'Share of the target to aim at.' }),
    window: duration('Stable window.', { default: '60s' }),
    panicWindow: duration('Panic window.', { default: '6s' }),
    idle: duration('Without work for this long, down to min.', { default: '30s' }),
    algorithm: choice(['kpa', 'lag', 'hpa', 'predictive'], 'How the number of replicas is decided.', { default: 'kpa' }),
  },
  { default: {}, description: 'Until the autoscaler comes, a function runs `initial` replicas, at least one, within min and max.' },
)

export const FunctionSpec = closed({
  ...revisionFields,
  scale: Scale,
  triggers: mapOf(triggerNamePattern, Trigger, {
    default: {},
    description: 'Name to trigger; http is there without being named.',
  }),
  bindings: reserved('comes with the bindings', 'Name to component.'),
  traffic: Type.Array(TrafficTarget, {
    default: [],
    maxItems: 20,
    description: 'Shares of revisions; all to the latest ready one when left out.',
  }),
  logging: closed(
    {
      level: choice(['debug', 'info', 'warn', 'error'], 'Least level that is kept.', { default: 'info' }),
      sinks: reserved('comes with observability', 'Where else log lines go.'),
    },
    { default: {} },
  ),
  retries: reserved('comes with durable invocations', 'Retries of asynchronous delivery.'),
  deadLetter: reserved('comes with durable invocations', 'Where events go that could not be delivered.'),
  onSuccess: reserved('comes with durable invocations', 'Destination of results.'),
  onFailure: reserved('comes with durable invocations', 'Destination of failures.'),
})
export type FunctionSpec = Static<typeof FunctionSpec>

export const FunctionStatus = closed({
  observedGeneration: Type.Optional(Type.Integer()),
  conditions: Type.Optional(Type.Array(Condition)),
  url: Type.Optional(text('Address on the gateway.')),
  latestCreatedRevision: Type.Optional(Type.String()),
  latestReadyRevision: Type.Optional(Type.String()),
  traffic: Type.Optional(
    Type.Array(
      closed({
        revision: Type.String(),
        percent: Type.Integer(),
        tag: Type.Optional(Type.String()),
        latest: Type.Optional(Type.Boolean()),
      }),
    ),
  ),
  replicas: Type.Optional(Type.Integer({ description: 'Ready replicas of all revisions.' })),
})
export type FunctionStatus = Static<typeof FunctionStatus>

export const FunctionSchema = closed(
  {
    apiVersion: Type.Literal('kaon.dev/v1'),
    kind: Type.Literal('Function'),
    metadata: ObjectMeta,
    spec: FunctionSpec,
    status: Type.Optional(FunctionStatus),
  },
  { description: 'Code, what triggers it, and how it runs.' },
)

export type FunctionResource = Resource & { spec: FunctionSpec; status?: FunctionStatus }

/** The names of the spec fields that make a new revision, read off the schema's own marks. */
export const revisionFieldNames: readonly string[] = Object.entries(FunctionSpec.properties)
  .filter(([, schema]) => (schema as { revision?: boolean }).revision === true)
  .map(([name]) => name)

/** The part of a function's spec that a revision freezes. */
export function revisionTemplate(spec: FunctionSpec): RevisionTemplate {
  return Object.fromEntries(
    revisionFieldNames
      .filter((name) => (spec as Record<string, unknown>)[name] !== undefined)
      .map((name) => [name, (spec as Record<string, unknown>)[name]]),
  ) as RevisionTemplate
}
