/** Completion scripts. They ask the program for candidates, so that they never differ from it. */
// Tests: test/options/completion/shells.test.ts

export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type CompletionShell = (typeof COMPLETION_SHELLS)[number];

/** The script that completes lines of `program` in a shell. The program itself is the one that the line calls. */
export function completionScript(shell: CompletionShell, program: string): string {
  const name = `_${program.replaceAll('-', '_')}_complete`;
  return SCRIPTS[shell].replaceAll('@FUNCTION@', name).replaceAll('@PROGRAM@', program);
}

const SCRIPTS: Readonly<Record<CompletionShell, string>> = {
  bash: String.raw`# bash completion for @PROGRAM@
@FUNCTION@() {
  local line value
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default; return ;;
      :folders) compopt -o dirnames; return ;;
    esac
    printf -v value '%q' "${'$'}{line%%${'$'}'\t'*}"
    COMPREPLY+=("$value")
  done < <("${'$'}{COMP_WORDS[0]/#\~/$HOME}" completion candidates -- "${'$'}{COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F @FUNCTION@ @PROGRAM@
`,
  zsh: String.raw`#compdef @PROGRAM@
@FUNCTION@() {
  local line
  local -a values shown
  while IFS= read -r line; do
    case $line in
      :files) [[ $PREFIX == --*=* ]] && compset -P '*='; _files; return ;;
      :folders) _files -/; return ;;
    esac
    values+=("${'$'}{line%%${'$'}'\t'*}")
    shown+=("${'$'}{line/${'$'}'\t'/  -- }")
  done < <("${'$'}{(Q)words[1]/#\~/$HOME}" completion candidates -- "${'$'}{(@Q)words[2,CURRENT]}" 2>/dev/null)
  compadd -l -d shown -a values
}
if [[ $funcstack[1] == _@PROGRAM@ ]]; then @FUNCTION@ "$@"; else compdef @FUNCTION@ @PROGRAM@; fi
`,
  fish: String.raw`# fish completion for @PROGRAM@
function @FUNCTION@
  set -l words (commandline -opc)
  set -l word (commandline -ct)
  set -l program (string replace -r '^~' $HOME -- $words[1])
  set -l found (command $program completion candidates -- $words[2..-1] "$word" 2>/dev/null)
  switch "$found[1]"
    case ':files' ':folders'
      set -l front (string match -r '^--[^=]*=' -- $word)
      set -l path (string replace -r '^--[^=]*=' '' -- $word)
      if test "$found[1]" = ':folders'
        __fish_complete_directories "$path" ''
      else
        for file in (__fish_complete_path "$path")
          echo "$front$file"
        end
      end
    case '*'
      printf '%s\n' $found
  end
end
complete -c @PROGRAM@ -f -a '(@FUNCTION@)'
`,
  // Where nothing is given, PowerShell completes the names of files by itself.
  powershell: String.raw`# powershell completion for @PROGRAM@
Register-ArgumentCompleter -Native -CommandName '@PROGRAM@' -ScriptBlock {
  param($word, $ast, $cursor)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.StartOffset -lt $cursor } |
    ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.ToString() } })
  # Before 7.3, an empty argument reaches a program only as two quotes.
  $legacy = $PSVersionTable.PSVersion -lt [version]'7.3' -or $PSNativeCommandArgumentPassing -eq 'Legacy'
  if ($word -eq '') { $words += if ($legacy) { '""' } else { '' } }
  $program = $ast.GetCommandName()
  & $program completion candidates '--' @words 2>$null | Where-Object { $_ -notin ':files', ':folders' } |
    ForEach-Object {
      $value, $shown = $_ -split "${'`'}t", 2
      $quoted = if ($value -match '[\s''";&|(){}$]') { "'" + ($value -replace "'", "''") + "'" } else { $value }
      [System.Management.Automation.CompletionResult]::new($quoted, $value, 'ParameterValue', $(if ($shown) { $shown } else { $value }))
    }
}
`,
};
