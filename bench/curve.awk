# curve.awk - the table, the plot and the JSON of bench/curve

function log10(x) { return log(x) / log(10) }

BEGIN {
	title["create"] = "add N"; title["list"] = "list"; title["names"] = "list --names"; title["show"] = "show one"
	title["add_beside"] = "add one beside N"; title["delete_beside"] = "delete one beside N"
	title["apply"] = "apply"; title["again"] = "apply again"; title["teardown"] = "teardown"
	title["doctor"] = "doctor"; title["doctor_one"] = "doctor one"; title["metrics"] = "metrics"
	title["watch"] = "watch, N new devices"; title["plan"] = "apply --dry-run"
	count = 0
}

{
	key = $1 SUBSEP $3
	if (!(key in seen)) {
		seen[key] = 1
		series[++count] = $1
		verb[count] = $3
	}
	if (!(($1, $2) in known)) {
		known[$1, $2] = 1
		xs[$1, ++many[$1]] = $2
	}
	line = $1 SUBSEP $3 SUBSEP $4
	points[line]++
	x[line, points[line]] = $2
	y[line, points[line]] = $5 / 1000
	low[line, points[line]] = $6 / 1000
	high[line, points[line]] = $7 / 1000
	at[line, $2] = $5 / 1000
	cpu[line, $2] = $8 / 1000
	rows[NR] = $0
}

# fit returns the exponent through the points from least on, or from the first if there are fewer than two.
function fit(line, least,    i, n, sx, sy, sxx, sxy, u, v) {
	for (i = 1; i <= points[line]; i++)
		if (x[line, i] >= least && x[line, i] > 0) {
			u = log(x[line, i]); v = log(y[line, i])
			n++; sx += u; sy += v; sxx += u * u; sxy += u * v
		}
	if (n < 2)
		return least > 1 ? fit(line, 1) : "-"
	return sprintf("%.2f", (n * sxy - sx * sy) / (n * sxx - sx * sx))
}

# last returns the exponent between the last two points.
function last(line,    n) {
	n = points[line]
	if (n < 2 || x[line, n - 1] == 0)
		return "-"
	return sprintf("%.2f", log(y[line, n] / y[line, n - 1]) / log(x[line, n] / x[line, n - 1]))
}

# marked returns an exponent, bold if it is above 1.1 and above the limit's.
function marked(ours, theirs) {
	return ours != "-" && ours > 1.1 && (theirs == "-" || ours > theirs + 0.05) ? "**" ours "**" : ours
}

# name returns the title of a verb: where routes are counted, N is the number of devices.
function name(i,    text) {
	text = title[verb[i]]
	if (series[i] == "routes")
		sub(/N/, beside, text)
	return text
}

function figure(v) { return v == "" ? "-" : sprintf(v < 9.995 ? "%.2f" : v < 99.95 ? "%.1f" : "%.0f", v) }

function table(which,    i, j, ours, limit, text) {
	printf "\n| %s |", which
	for (j = 1; j <= many[which]; j++)
		printf " %d |", xs[which, j]
	print " exponent | last | limit | last |"
	printf "|---|"
	for (j = 1; j <= many[which] + 4; j++)
		printf "--:|"
	print ""
	for (i = 1; i <= count; i++) {
		if (series[i] != which)
			continue
		ours = which SUBSEP verb[i] SUBSEP "tunadm"
		limit = which SUBSEP verb[i] SUBSEP "limit"
		text = "| " name(i) " |"
		for (j = 1; j <= many[which]; j++)
			text = text " " figure(at[ours, xs[which, j]]) " |"
		print text " " marked(fit(ours, 100), fit(limit, 100)) " | " marked(last(ours), last(limit)) " | " \
			fit(limit, 100) " | " last(limit) " |"
	}
}

# events prints how many events watch printed a second, while the kernel created devices as fast as it could.
function events(    j, n, ours) {
	ours = "devices" SUBSEP "watch" SUBSEP "tunadm"
	if (points[ours] == 0)
		return
	print "\n| new devices | events of `watch` a second | CPU time of `watch` (ms) |\n|--:|--:|--:|"
	for (j = 1; j <= points[ours]; j++) {
		n = x[ours, j]
		printf "| %d | %d | %s |\n", n, 1000 * n / at[ours, n], figure(cpu[ours, n])
	}
}

function json(    i, f) {
	printf "{\"about\":\"%s\",\"unit\":\"microseconds\",\"points\":[", about
	for (i = 1; i <= NR; i++) {
		split(rows[i], f, " ")
		printf "%s\n{\"series\":\"%s\",\"number\":%s,\"verb\":\"%s\",\"peer\":\"%s\"," \
			"\"median\":%s,\"quartiles\":[%s,%s],\"cpu\":%s,\"rounds\":%s}", \
			(i > 1 ? "," : ""), f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9]
	}
	print "]}"
}

# The plot: a panel for each verb, all with the same axes: 1 to 100,000 devices or routes, 0.1 ms to 100 s.
function px(v) { return left + (v < 1 ? 0 : log10(v)) * unit_x }
function py(v) { return top + height - (log10(v < 0.1 ? 0.1 : v) + 1) * unit_y }

function curve(line, colour,    i, text) {
	for (i = 1; i <= points[line]; i++) {
		text = text sprintf("%.1f,%.1f ", px(x[line, i]), py(y[line, i]))
		printf "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' stroke='%s'/>", px(x[line, i]), px(x[line, i]), \
			py(low[line, i]), py(high[line, i]), colour
		printf "<circle cx='%.1f' cy='%.1f' r='2.2' fill='%s'/>\n", px(x[line, i]), py(y[line, i]), colour
	}
	if (text != "")
		printf "<polyline points='%s' fill='none' stroke='%s' stroke-width='1.5'/>\n", text, colour
}

function panel(i,    d, ours, limit, n) {
	printf "<rect x='%d' y='%d' width='%d' height='%d' fill='none' stroke='#999'/>\n", left, top, width, height
	for (d = 0; d <= decades_x; d++) {
		printf "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='#e5e5e5'/>", px(10 ^ d), px(10 ^ d), top, top + height
		printf "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>\n", px(10 ^ d), top + height + 12, \
			d < 3 ? 10 ^ d : 10 ^ (d - 3) "k"
	}
	for (d = -1; d <= 5; d++) {
		printf "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#e5e5e5'/>", left, left + width, py(10 ^ d), \
			py(10 ^ d)
		printf "<text x='%d' y='%.1f' text-anchor='end'>%s</text>\n", left - 4, py(10 ^ d) + 3, \
			d < 0 ? "0.1 ms" : d < 3 ? 10 ^ d " ms" : 10 ^ (d - 3) " s"
	}
	ours = series[i] SUBSEP verb[i] SUBSEP "tunadm"
	limit = series[i] SUBSEP verb[i] SUBSEP "limit"
	printf "<text x='%d' y='%d' font-weight='bold'>%s%s: exponent %s</text>\n", left, top - 6, name(i), \
		series[i] == "routes" ? ", by routes" : "", fit(ours, 100)
	n = points[ours] # a cost that grows as the number does, through the last point
	if (n > 1 && x[ours, n] > 0)
		printf "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#bbb' stroke-dasharray='3 3'/>\n", \
			px(x[ours, n]), py(y[ours, n]), px(x[ours, n] / reach(ours, n)), py(y[ours, n] / reach(ours, n))
	curve(limit, "#888")
	curve(ours, "#1f6fb4")
}

# reach returns how far the line of slope 1 goes to the left: to 0.1 ms, or to 1.
function reach(line, n) { return x[line, n] < y[line, n] / 0.1 ? x[line, n] : y[line, n] / 0.1 }

function svg(    i) {
	width = 210; height = 150; decades_x = 5.4; unit_x = width / decades_x; unit_y = height / 6
	printf "<svg xmlns='http://www.w3.org/2000/svg' width='1120' height='%d' font-family='sans-serif' " \
		"font-size='9'>\n", \
		50 + 200 * int((count + 3) / 4)
	print "<rect width='100%' height='100%' fill='white'/>"
	printf "<text x='50' y='16' font-size='11'>%s</text>\n", about
	print "<text x='50' y='30'><tspan fill='#1f6fb4'>tunadm</tspan>, <tspan fill='#888'>limit.c</tspan>," \
		" with quartiles; dashed: slope 1</text>"
	for (i = 1; i <= count; i++) {
		left = 50 + (i - 1) % 4 * 272
		top = 60 + int((i - 1) / 4) * 200
		panel(i)
	}
	print "</svg>"
}

END {
	if (output == "svg")
		svg()
	else if (output == "json")
		json()
	else {
		table("devices")
		events()
		table("routes")
	}
}
