# PowerShell completion for flux-cli
Register-ArgumentCompleter -Native -CommandName flux-cli -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_FLUX_COMPLETE = "powershell"
    $Env:_FLUX_LINE = $commandAst.ToString()
    $Env:_FLUX_WORD = $wordToComplete
    try {
        flux-cli 2>$null | Select-Object -Skip 1 | ForEach-Object {
            $part = $_ -split "`t"
            [System.Management.Automation.CompletionResult]::new($part[0], $part[1], "ParameterValue", $part[2])
        }
    } finally {
        $Env:_FLUX_COMPLETE = $Env:_FLUX_LINE = $Env:_FLUX_WORD = $null
    }
}
