# bash completion for flux
_flux_complete() {
    local line kind= program=${1/#\~\//$HOME/}
    COMPREPLY=()
    while IFS= read -r line; do
        if [ -z "$kind" ]; then kind=$line; else COMPREPLY+=("$line"); fi
    done < <(
        _FLUX_COMPLETE=bash "$program" "${COMP_LINE:0:COMP_POINT}" "$2" "$COMP_TYPE" "${COLUMNS:-80}" 2>/dev/null
    )
    compopt -o nosort 2>/dev/null
    if [ "$kind" = files ]; then compopt -o default -o bashdefault 2>/dev/null; fi
    return 0
}
complete -F _flux_complete flux
