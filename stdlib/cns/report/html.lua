-- SPDX-License-Identifier: MIT
--
-- cns.report.html - the result as one HTML file that needs nothing else: no scripts, no fonts, no
-- network. Light and dark follow the reader's system; it reads on a phone and on paper.

local svg = require "cns.report.svg"
local text = require "cns.report.text"

local escape = svg.escape
local html = {}

local style = [[
:root{--page:#f7f7f5;--card:#fff;--ink:#1d1d1b;--soft:#5c5c57;--line:#e2e1dc;--mark:#2f6fb5;
--good:#1b7a3d;--bad:#b3261e;--open:#8a5a00;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--page:#161615;--card:#20201e;--ink:#ecebe6;--soft:#a9a8a0;
--line:#383834;--mark:#7db2ee;--good:#6fcf8f;--bad:#ff8a80;--open:#f0b860}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 8px;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:36px 0 12px}
h3{font-size:1.05rem;margin:0;overflow-wrap:anywhere;flex:1 1 auto;min-width:0}
p{margin:6px 0}.soft{color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;
margin:0 0 16px}
.head{display:flex;gap:12px;align-items:baseline;flex-wrap:wrap}
.state{font-weight:600;font-size:.85rem;letter-spacing:.02em;white-space:nowrap}
.pass{color:var(--good)}.fail{color:var(--bad)}.open{color:var(--open)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(138px,1fr));gap:12px 20px;
margin:14px 0}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-variant-numeric:tabular-nums}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:16px}
svg{width:100%;max-width:520px;height:auto;display:block;font-family:system-ui,sans-serif}
svg text{font-size:11.5px;fill:var(--ink)}svg text.axis{fill:var(--soft)}
svg .grid{stroke:var(--line)}svg .guide{stroke:var(--soft);stroke-dasharray:3 3}
svg .mark{fill:var(--mark)}svg .curve{fill:none;stroke:var(--mark);stroke-width:2;
stroke-linejoin:round}
svg .interval{stroke:var(--mark);stroke-width:3;stroke-linecap:round;opacity:.55}
.scroll{overflow-x:auto;margin-top:10px}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
th{color:var(--soft);font-weight:500}.num{text-align:right;white-space:nowrap}
td:first-child{min-width:8rem}
pre{background:var(--page);border:1px solid var(--line);border-radius:6px;padding:10px;margin:8px 0;
overflow-x:auto;font-size:.82rem;white-space:pre-wrap;overflow-wrap:anywhere}
@media print{body{background:#fff}.card{break-inside:avoid}}
]]

local classes = {pass = "pass", success = "pass", faster = "pass", fail = "fail",
    ["check failed"] = "fail", ["threshold missed"] = "fail", failed = "fail", slower = "fail"}

local function state(value)
    return ('<span class="state %s">%s</span>'):format(classes[value] or "open", escape(value))
end

local function add(out, format, ...)
    out[#out + 1] = format:format(...)
end

local function figures(out, pairs_list)
    out[#out + 1] = "<dl>"
    for _, entry in ipairs(pairs_list) do
        if entry[2] then
            add(out, "<div><dt>%s</dt><dd>%s</dd></div>", escape(entry[1]), escape(entry[2]))
        end
    end
    out[#out + 1] = "</dl>"
end

local function errors(out, scenario)
    for _, entry in ipairs(scenario.errors) do
        add(out, '<p><span class="state fail">%s × %s</span></p>', text.count(entry.count),
            escape(entry.phase))
        for _, first in ipairs(entry.first) do
            add(out, "<pre>%s</pre>", escape(("call %s: %s"):format(tostring(first.call or "-"),
                first.text)))
        end
    end
end

local function scenario_card(out, scenario, index)
    add(out, '<section class="card"><div class="head"><h3>%s</h3>%s</div>',
        escape(text.line(scenario.name)), state(scenario.state))
    if scenario.description then
        add(out, '<p class="soft">%s</p>', escape(scenario.description))
    end
    local latency = scenario.latency or {}
    figures(out, {
        {"Operations", text.count(scenario.operations)},
        {"Verified", text.count(scenario.verified)},
        {"Success rate", text.percent(scenario.success_rate)},
        {"Duration", text.seconds(scenario.duration_s)},
        {"Throughput", text.rate(scenario.ops_per_s)},
        {"p50", text.seconds(latency.p50_s)}, {"p99", text.seconds(latency.p99_s)},
        {"Slowest call", text.seconds(latency.max_s)},
        {scenario.peak_rss_reset == false and "Peak memory since the process began"
            or "Peak resident memory", text.bytes(scenario.peak_rss_bytes)},
        {"CPU", text.cpu(scenario.cpu)},
        {"Read", text.bytes(scenario.io.read_bytes)},
        {"Written", text.bytes(scenario.io.write_bytes)},
    })
    for _, note in ipairs(scenario.notes or {}) do
        add(out, '<p class="soft">%s</p>', escape(note))
    end
    if scenario.latency then
        local id = "s" .. index
        out[#out + 1] = '<div class="plots">' .. svg.latency(id .. "l", scenario)
            .. (svg.timeline(id .. "t", scenario) or "") .. "</div>"
    end
    errors(out, scenario)
    out[#out + 1] = "</section>"
end

local function benchmark_rows(out, rows)
    out[#out + 1] = '<div class="scroll"><table><thead><tr><th>Row</th><th>Base</th><th>Other</th>'
        .. '<th class="num">Ratio</th><th>95 % interval</th><th>A/A detects</th><th>Verdict</th>'
        .. "</tr></thead><tbody>"
    for _, row in ipairs(rows) do
        if row.ratio then
            add(out, '<tr><td>%s</td><td>%s<br>%s</td><td>%s<br>%s</td><td class="num">%s</td>'
                .. "<td>%s to %s</td><td>%s</td><td>%s</td></tr>", escape(row.name),
                escape(row.base.label), text.seconds(row.base.summary.median),
                escape(row.other.label), text.seconds(row.other.summary.median),
                text.ratio(row.ratio), text.ratio(row.ratio_low), text.ratio(row.ratio_high),
                text.percent(row.smallest_effect), state(row.verdict))
        else
            add(out, '<tr><td>%s</td><td colspan="5">%s</td><td>%s</td></tr>', escape(row.name),
                escape(row.error or row.note or ""),
                state(row.state == "not built" and "not built yet" or row.state))
        end
    end
    out[#out + 1] = "</tbody></table></div>"
end

local function benchmarks(out, rows)
    if #rows == 0 then return end
    out[#out + 1] = '<h2>Benchmarks</h2><section class="card">'
    local measured = {}
    for _, row in ipairs(rows) do
        if row.ratio then measured[#measured + 1] = row end
    end
    if #measured > 0 then out[#out + 1] = svg.ratios("b", measured) end
    benchmark_rows(out, rows)
    for _, row in ipairs(rows) do
        if row.memory then
            add(out, '<p class="soft">%s: memory %s against %s.</p>', escape(row.name),
                text.bytes(row.memory.base_bytes), text.bytes(row.memory.other_bytes))
        end
        if row.ratio and row.note then
            add(out, '<p class="soft">%s: %s</p>', escape(row.name), escape(row.note))
        end
    end
    out[#out + 1] = '<p class="soft">The ratio is the base\'s time over the other\'s, by round; '
        .. "both sides are interleaved, every answer is verified.</p></section>"
end

local function listing(out, title, heads, rows)
    if #rows == 0 then return end
    add(out, '<h2>%s</h2><section class="card"><div class="scroll"><table><thead><tr>', title)
    for _, head in ipairs(heads) do add(out, "<th>%s</th>", head) end
    out[#out + 1] = "</tr></thead><tbody>"
    for _, row in ipairs(rows) do
        out[#out + 1] = "<tr><td>" .. table.concat(row, "</td><td>") .. "</td></tr>"
    end
    out[#out + 1] = "</tbody></table></div></section>"
end

local function header(out, result)
    add(out, "<h1>%s</h1><p>%s</p>", escape(text.line(result.title)), state(result.verdict))
    if result.partial then
        add(out, '<p class="fail">Partial: the run was cut off (%s). %s</p>',
            escape(result.partial.reason), escape(result.partial.message or ""))
    end
    add(out, '<p class="soft">Seed %s, begun %s, took %s.<br>%s.%s</p>', escape(result.seed),
        escape(result.started), text.seconds(result.duration_s),
        escape(text.machine(result.machine or {})),
        result.harness and "<br>The " .. escape(text.harness(result.harness)) .. "." or "")
    add(out, "<pre>%s</pre>", escape(result.command or ""))
end

---@param result table
---@return string
function html.render(result)
    local out = {}
    add(out, '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        .. 'content="width=device-width,initial-scale=1"><title>%s</title><style>%s</style></head>'
        .. "<body><main>", escape(text.line(result.title)), style)
    header(out, result)
    if #result.scenarios > 0 then out[#out + 1] = "<h2>Scenarios</h2>" end
    for i, scenario in ipairs(result.scenarios) do scenario_card(out, scenario, i) end
    benchmarks(out, result.benchmarks)
    local rows = {}
    for i, entry in ipairs(result.thresholds) do
        rows[i] = {escape(entry.scenario), escape(entry.text),
            escape(text.metric(entry.metric, entry.actual)), state(entry.state)}
    end
    listing(out, "Thresholds", {"Scenario", "Threshold", "Measured", "State"}, rows)
    -- What the script itself checked comes first: it is what the run is about.
    for _, part in ipairs {{"Checks"}, {"Checks in scenarios", true}} do
        rows = {}
        for _, entry in ipairs(result.checks) do
            if (entry.group ~= nil) == (part[2] or false) then
                rows[#rows + 1] = {escape((entry.group and entry.group .. ": " or "")
                    .. entry.name), state(entry.state),
                    escape(text.cut(text.line(entry.evidence or ""), 400))}
            end
        end
        listing(out, part[1], {"Check", "State", "Evidence"}, rows)
    end
    out[#out + 1] = "</main></body></html>\n"
    return table.concat(out, "\n")
end

return html
