# SPDX-License-Identifier: BSD-3-Clause
# Reads tests/ids, then lines "PROGRAM<tab>TEST": prints each requirement with the tests whose names
# carry its id, a word of the name. The status is 1 if one that must have a test has none.

FNR == NR {
	if ($0 ~ /^#/ || NF == 0)
		next
	order[++n] = $1
	kind[$1] = $2
	text[$1] = $0
	sub(/^[^ ]+ +[^ ]+ */, "", text[$1])
	by_word[tolower($1)] = $1
	next
}

{
	split($0, part, "\t")
	words = split(tolower(part[2]), word, /[^a-z0-9]+/)
	for (w = 1; w <= words; w++) {
		id = by_word[word[w]]
		if (id == "" || seen[id, $0]++)
			continue
		tests[id] = tests[id] "    " part[1] ": " part[2] "\n"
		count[id]++
	}
}

function missing(what) {
	bad++
	print "    MISSING: " what
}

END {
	for (i = 1; i <= n; i++) {
		id = order[i]
		print id " " (kind[id] == "=" ? "= " : "") text[id]
		if (kind[id] == "=") {
			m = split(text[id], of, " ")
			for (w = 1; w <= m; w++)
				if (!count[of[w]])
					missing("no test of " of[w])
			continue
		}
		printf "%s", tests[id]
		with += count[id] > 0
		if (kind[id] == "must" && !count[id])
			missing("no test has " tolower(id) " in its name")
		if (kind[id] != "must" && kind[id] != "elsewhere")
			missing("what does \"" kind[id] "\" mean in tests/ids?")
	}
	printf "%d requirements, %d with tests, %d missing\n", n, with, bad
	exit bad > 0
}
