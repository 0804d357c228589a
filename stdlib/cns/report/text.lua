-- SPDX-License-Identifier: MIT
--
-- cns.report.text - figures in words, and text made safe: what every renderer shares.
--
-- Names, errors and evidence come from scripts and files and may hold anything. `clean` leaves
-- valid UTF-8 without control characters; each renderer then escapes for its own format.

local text = {}

-- U+FFFD for what is not UTF-8, for control characters, and for the marks that turn the direction
-- of text around and so could make a report read as what it is not.
local replacement = "\u{FFFD}"

local function keep(code)
    if code < 0x20 then return code == 9 or code == 10 end
    return not (code >= 0x7F and code <= 0x9F) and not (code >= 0xD800 and code <= 0xDFFF)
        and not (code >= 0x202A and code <= 0x202E) and not (code >= 0x2066 and code <= 0x2069)
        and code ~= 0xFFFE and code ~= 0xFFFF and code <= 0x10FFFF
end

---@param value any
---@return string
function text.clean(value)
    local source = tostring(value):gsub("\r\n?", "\n")
    if not source:find("[^\t\n -~]") then
        return source
    end
    local out, at = {}, 1
    while at <= #source do
        local valid = utf8.len(source, at, at)
        if valid then
            local code = utf8.codepoint(source, at)
            local char = utf8.char(code)
            out[#out + 1] = keep(code) and char or replacement
            at = at + #char
        else
            out[#out + 1] = replacement
            at = at + 1
        end
    end
    return table.concat(out)
end

---Cleans every string of a tree in place, and writes numbers that JSON lacks as text.
function text.clean_tree(tree)
    local renamed = {}
    for key, value in pairs(tree) do
        if type(value) == "string" then
            tree[key] = text.clean(value)
        elseif type(value) == "table" then
            text.clean_tree(value)
        elseif type(value) == "number" and (value ~= value or value - value ~= 0) then
            tree[key] = tostring(value)
        end
        if type(key) == "string" and text.clean(key) ~= key then
            renamed[#renamed + 1] = key
        end
    end
    for _, key in ipairs(renamed) do
        tree[text.clean(key)], tree[key] = tree[key], nil
    end
    return tree
end

---One line: line breaks and tabs become spaces.
function text.line(value)
    return (text.clean(value):gsub("[\n\t]+", " "))
end

---The first line, for tables.
function text.first_line(value)
    return text.clean(value):match("^[^\n]*")
end

---Columns of a terminal, near enough: one for a code point.
function text.width(value)
    return utf8.len(value) or #value
end

---Cut to a width with an ellipsis.
function text.cut(value, width)
    if text.width(value) <= width then
        return value
    end
    return value:sub(1, utf8.offset(value, math.max(width, 1)) - 1) .. "…"
end

function text.pad(value, width)
    return value .. (" "):rep(width - text.width(value))
end

function text.pad_left(value, width)
    return (" "):rep(width - text.width(value)) .. value
end

---Words broken into lines of at most `width` columns.
function text.wrap(value, width)
    local lines, current = {}, ""
    for word in text.line(value):gmatch("%S+") do
        word = text.cut(word, width)
        if current == "" then
            current = word
        elseif text.width(current) + 1 + text.width(word) <= width then
            current = current .. " " .. word
        else
            lines[#lines + 1] = current
            current = word
        end
    end
    lines[#lines + 1] = current
    return lines
end

---------------------------------------------------------------------------------------------------
-- Figures: three digits that count; a figure the system did not give is said to be so

local function three(value)
    local size = math.abs(value)
    if size >= 100 or value == 0 then return ("%.0f"):format(value) end
    return (size >= 10 and "%.1f" or "%.2f"):format(value)
end

local function missing(value)
    return type(value) ~= "number" and (value == nil and "not measured" or text.line(value))
end

---@return string "12,930"
function text.count(value)
    if missing(value) then return missing(value) end
    local digits = ("%.0f"):format(value)
    local sign, whole = digits:match("^(%-?)(%d+)$")
    if not whole then return digits end
    whole = whole:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
    return sign .. whole
end

---@return string "1.23 ms"
function text.seconds(value)
    if missing(value) then return missing(value) end
    local size = math.abs(value)
    if size == 0 then return "0 s" end
    if size < 0.9995e-6 then return three(value * 1e9) .. " ns" end
    if size < 0.9995e-3 then return three(value * 1e6) .. " µs" end
    if size < 0.9995 then return three(value * 1e3) .. " ms" end
    if size < 600 then return three(value) .. " s" end
    return three(value / 60) .. " min"
end

---@return string "1.00 GiB"
function text.bytes(value)
    if missing(value) then return missing(value) end
    local size = math.abs(value)
    if size < 1024 then return ("%.0f B"):format(value) end
    for _, unit in ipairs {"KiB", "MiB", "GiB", "TiB"} do
        value, size = value / 1024, size / 1024
        if size < 1023.5 or unit == "TiB" then return three(value) .. " " .. unit end
    end
end

---A share in percent; what is not quite all never reads "100 %". An effect may be above 1.
function text.percent(share)
    if missing(share) then return missing(share) end
    if share == 1 or share == 0 then return ("%.0f %%"):format(share * 100) end
    if share > 1 then return ("%.0f %%"):format(math.max(101, share * 100)) end
    local shown = math.min(99.99, math.max(0.01, share * 100))
    return ((shown > 99 or shown < 1) and "%.2f %%" or "%.1f %%"):format(shown)
end

---@return string "1,234 /s"
function text.rate(value)
    if missing(value) then return missing(value) end
    return (value >= 1000 and text.count(value) or three(value)) .. " /s"
end

---@return string "2.35"
function text.ratio(value)
    if missing(value) then return missing(value) end
    return three(value)
end

---A verdict or state as a short word of capitals.
text.marks = {
    ["pass"] = "PASS", ["fail"] = "FAIL", ["not built"] = "NOT BUILT",
    ["not measured"] = "NOT MEASURED", ["inconclusive"] = "INCONCLUSIVE",
}

---A threshold's actual value in the unit that its metric has.
function text.metric(metric, value)
    if missing(value) then return missing(value) end
    if metric == "success" then return text.percent(value) end
    if metric == "rss" then return text.bytes(value) end
    if metric == "ops/s" then return text.rate(value) end
    if metric == "errors" or metric == "operations" or metric == "calls" then
        return text.count(value)
    end
    return text.seconds(value)
end

---"CPU 1.20 s user, 0.10 s system (1.3 cores)"
function text.cpu(cpu)
    local cores = ""
    if type(cpu.cores_used) == "number" then cores = (" (%.1f cores)"):format(cpu.cores_used) end
    return text.seconds(cpu.user_s) .. " user, " .. text.seconds(cpu.system_s) .. " system" .. cores
end

function text.io(io)
    return text.bytes(io.read_bytes) .. " read, " .. text.bytes(io.write_bytes) .. " written ("
        .. text.bytes(io.disk_read_bytes) .. " and " .. text.bytes(io.disk_write_bytes)
        .. " to the device)"
end

---The machine in a line.
function text.machine(machine)
    local parts = {text.line(machine.description or "machine unknown")}
    parts[#parts + 1] = ("cnsengine %s, %s"):format(text.line(machine.engine or "?"),
        text.line(machine.lua or "?"))
    parts[#parts + 1] = "instruction set " .. text.line(machine.cpu_level or "?")
    if machine.kernels then parts[#parts + 1] = "kernels: " .. text.line(machine.kernels) end
    return table.concat(parts, "; ")
end

---What the harness costs, in a line; nil when the run did not measure it.
function text.harness(harness)
    if not harness then return nil end
    return ("harness: %s a call, %s of it inside each latency; instruction hook: %s"):format(
        text.seconds(harness.per_call_s), text.seconds(harness.inside_latency_s),
        text.line(harness.hook))
end

return text
