import { Condition, ObjectMeta, type Resource } from './metadata.ts'
import {
  choice,
  closed,
  duration,
  headerNamePattern,
  hostPattern,
  namePattern,
  reserved,
  type Static,
  subdomainPattern,
  Type,
  text,
} from './schema.ts'

const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

const Destination = closed({
  function: Type.Optional(text('A function of the same namespace.', { pattern: namePattern, maxLength: 50 })),
  revision: Type.Optional(text('One revision of it, instead of what its traffic says.', { pattern: subdomainPattern, maxLength: 63 })),
  url: Type.Optional(text('A plain http or https URL instead of a function.', { pattern: '^https?://', maxLength: 2048 })),
  weight: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 1, description: 'Share among the destinations of the rule.' }),
})

const Cors = closed({
  origins: Type.Array(Type.String({ maxLength: 512 }), {
    minItems: 1,
    description: 'Allowed origins, as in https://app.example.com; * allows any.',
  }),
  methods: Type.Array(choice(httpMethods, 'Method.'), { default: ['GET', 'HEAD', 'POST'], description: 'Allowed methods.' }),
  headers: Type.Array(Type.String({ pattern: headerNamePattern }), { default: [], description: 'Allowed request headers.' }),
  exposeHeaders: Type.Array(Type.String({ pattern: headerNamePattern }), { default: [], description: 'Response headers a page may read.' }),
  credentials: Type.Boolean({ default: false, description: 'Whether cookies are allowed; not together with *.' }),
  maxAge: duration('How long a browser may keep the answer.', { default: '10m' }),
})

const Authentication = closed(
  {
    open: Type.Optional(Type.Literal(true, { description: 'Anybody may call, also from beyond this machine.' })),
    apiKey: Type.Optional(
      closed({
        header: text('Header that carries the key.', { pattern: headerNamePattern, default: 'x-api-key' }),
        secret: text('Secret of the same namespace; each of its values is a key.', { pattern: subdomainPattern, maxLength: 253 }),
      }),
    ),
    jwt: reserved('comes with security', 'JSON web tokens.'),
    oidc: reserved('comes with security', 'OpenID Connect.'),
    basic: reserved('comes with security', 'Basic authentication.'),
    mtls: reserved('comes with security', 'Client certificates.'),
  },
  { description: 'Exactly one way.' },
)

const Rule = closed({
  path: text('Path to match.', { default: '/', pattern: '^/', maxLength: 2048 }),
  match: choice(['prefix', 'exact'], 'How the path is matched; a prefix ends at a slash.', { default: 'prefix' }),
  methods: Type.Optional(Type.Array(choice(httpMethods, 'Method.'), { minItems: 1, description: 'Any when left out.' })),
  headers: Type.Optional(
    Type.Array(closed({ name: text('Header name.', { pattern: headerNamePattern }), value: text('Exact value.', { maxLength: 4096 }) }), {
      maxItems: 16,
      description: 'All must match.',
    }),
  ),
  rewrite: Type.Optional(text('Replaces the matched prefix (or the exact path).', { pattern: '^/', maxLength: 2048 })),
  to: Type.Array(Destination, { minItems: 1, maxItems: 16, description: 'Where it goes.' }),
  timeout: Type.Optional(duration("Instead of the function's own.")),
  cors: Type.Optional(Cors),
  auth: Type.Optional(Authentication),
  rateLimit: reserved('comes with security', 'Requests a second.'),
})
export type RouteRule = Static<typeof Rule>

export const RouteSpec = closed({
  hosts: Type.Array(Type.String({ pattern: hostPattern, maxLength: 253 }), {
    default: [],
    maxItems: 32,
    description: 'Host names without port; *.example.com matches one label. Any host when empty.',
  }),
  rules: Type.Array(Rule, {
    minItems: 1,
    maxItems: 256,
    description: 'An exact path is tried before prefixes, a longer prefix before a shorter one, then in order.',
  }),
})
export type RouteSpec = Static<typeof RouteSpec>

export const RouteSchema = closed(
  {
    apiVersion: Type.Literal('kaon.dev/v1'),
    kind: Type.Literal('Route'),
    metadata: ObjectMeta,
    spec: RouteSpec,
    status: Type.Optional(closed({ observedGeneration: Type.Optional(Type.Integer()), conditions: Type.Optional(Type.Array(Condition)) })),
  },
  { description: 'Hosts and paths, and the functions they lead to.' },
)

export type RouteResource = Resource & { spec: RouteSpec; status?: { observedGeneration?: number; conditions?: Condition[] } }
