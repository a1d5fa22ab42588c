# fish completion for flux-cli
function _flux_cli_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l found (env _FLUX_COMPLETE=fish (string replace -r '^~/' "$HOME/" -- $words) "$word" 2>/dev/null)
    switch "$found[1]"
        case files
            set -l flag (string match -r -- '^--[^=]+=' "$word")
            for path in (__fish_complete_path (string replace -- "$flag" '' "$word"))
                echo "$flag$path"
            end
        case words
            test (count $found) -gt 1; and printf '%s\n' $found[2..-1]
    end
end
complete --command flux-cli --no-files --keep-order --arguments '(_flux_cli_complete)'
