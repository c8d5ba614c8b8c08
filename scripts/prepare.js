// Runs at the end of `npm ci`: makes the platform's own bundles, so that the first start finds them. Nothing depends on it: a start makes what is missing.
if (Number.parseInt(process.versions.node, 10) >= 26) {
  try {
    const [{ bundlePlatform, platformBundleFolder }, { createSystem }] = await Promise.all([
      import('../packages/kaon/src/app/bundle-platform.ts'),
      import('../packages/kaon/src/app/system.ts'),
    ])
    const { files } = createSystem()
    await bundlePlatform({ cacheFolder: platformBundleFolder(process.env), files })
  } catch (error) {
    console.warn(`The first start will take a second longer: ${error instanceof Error ? error.message : error}`)
  }
}
