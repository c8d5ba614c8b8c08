import { defineCommand } from '../command.ts'

// Each script hands the words so far to `kaon __complete`, which knows commands, options and names.
const scripts: Record<string, string> = {
  bash: `_kaon() {
  local IFS=$'\\n' words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  # '=' and ':' break words in bash; kaon takes the value as a word of its own.
  COMPREPLY=($(compgen -W "$(kaon __complete -- "\${words[@]}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")); fi
}
complete -o filenames -F _kaon kaon
`,
  zsh: `#compdef kaon
_kaon() {
  local -a found
  found=("\${(@f)$(kaon __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  if (( \${#found} )); then compadd -- "\${found[@]}"; else _files; fi
}
if [ "$funcstack[1]" = "_kaon" ]; then _kaon "$@"; else compdef _kaon kaon; fi
`,
  fish: `function __kaon_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  kaon __complete -- $words 2>/dev/null
end
complete -c kaon -a '(__kaon_complete)'
`,
}

export const completion = defineCommand({
  name: 'completion',
  description: 'Prints the script that teaches a shell the commands, their options, and the names of functions, namespaces and contexts.',
  arguments: { shell: { description: 'Which shell.', choices: ['bash', 'zsh', 'fish'] } },
  options: {},
  examples: [
    { does: 'bash: in ~/.bashrc', line: 'source <(kaon completion bash)' },
    { does: 'zsh: in ~/.zshrc, after compinit', line: 'source <(kaon completion zsh)' },
    { does: 'fish', line: 'kaon completion fish > ~/.config/fish/completions/kaon.fish' },
  ],
  async run({ args, terminal }) {
    terminal.out(scripts[args.shell] as string)
    return 0
  },
})
