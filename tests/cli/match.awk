# SPDX-License-Identifier: MIT
#
# match.awk EXPECTED FOUND: whether the lines found are those expected, where `*` stands for any characters of a line
# and a line `...` for any lines. Prints the first line that is not as it should be.

# An expected line as an anchored regular expression.
function pattern(line,    i, c, out) {
    out = "^"
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "*") out = out ".*"
        else if (c ~ /[a-zA-Z0-9 _]/) out = out c
        else if (c == "^") out = out "\\^"
        else if (c == "\\") out = out "\\\\"
        else if (index("[](){}.+?|$/", c)) out = out "\\" c
        else out = out c
    }
    return out "$"
}

function matches(line, expected) {
    return line == expected || (index(expected, "*") && line ~ pattern(expected))
}

BEGIN {
    while ((getline line < ARGV[1]) > 0) want[++nwant] = line
    while ((getline line < ARGV[2]) > 0) have[++nhave] = line
    w = h = 1
    while (w <= nwant || h <= nhave) {
        if (w <= nwant && want[w] == "...") {
            w++
            if (w > nwant) exit 0
            while (h <= nhave && !matches(have[h], want[w])) h++
            if (h > nhave) { print "expected, after others: " want[w]; exit 1 }
        }
        if (w > nwant) { print "not expected: " have[h]; exit 1 }
        if (h > nhave) { print "expected: " want[w]; print "found the end"; exit 1 }
        if (!matches(have[h], want[w])) { print "expected: " want[w]; print "found:    " have[h]; exit 1 }
        w++
        h++
    }
    exit 0
}
