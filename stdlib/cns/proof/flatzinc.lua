-- SPDX-License-Identifier: MIT
--
-- cns.proof.flatzinc: reads FlatZinc for the checker of proofs. Shares nothing with the solver's
-- reader, and is for files of some megabytes.
--
-- A model is {vars, names, constraints, goal, objective, outputs}. A variable is {name, ranges};
-- an argument of a constraint is an integer, {var = index}, {set = ranges} or a list of those.

local flatzinc = {}

local WIDEST = 1 << 35 -- what the solver takes for variables without a domain

local function fail(reader, message)
    local _, line = reader.text:sub(1, reader.at):gsub("\n", "")
    error(("line %d: %s"):format(line + 1, message), 0)
end

-- The next token: a name, a number, or a character or two of punctuation.
local function advance(reader)
    local text, at = reader.text, reader.at
    while true do
        at = text:find("[^ \t\r\n]", at)
        if not at then
            reader.token, reader.at = nil, #text + 1
            return
        end
        if text:byte(at) ~= 37 then break end -- %
        at = text:find("\n", at, true) or #text + 1
    end
    local stop
    local first = text:sub(at, at)
    if first:find("[%a_]") then
        stop = select(2, text:find("^[%w_]+", at))
    elseif first:find("[%d%-]") then
        stop = select(2, text:find("^%-?0[xo]%x+", at)) or select(2, text:find("^%-?%d+", at)) or at
        local real = select(2, text:find("^%.%d+", stop + 1)) -- not the dots of a range
        if real then
            stop = select(2, text:find("^[eE][%-+]?%d+", real + 1)) or real
        end
    elseif first == '"' then
        stop = text:find('"', at + 1, true) or fail(reader, "a string that does not end")
    elseif text:sub(at, at + 1) == ".." or text:sub(at, at + 1) == "::" then
        stop = at + 1
    else
        stop = at
    end
    reader.token, reader.at = text:sub(at, stop), stop + 1
end

local function accept(reader, token)
    if reader.token == token then
        advance(reader)
        return true
    end
    return false
end

local function expect(reader, token)
    if not accept(reader, token) then
        fail(reader, ("'%s' expected, got '%s'"):format(token, tostring(reader.token)))
    end
end

local function name(reader)
    local token = reader.token
    if not token or not token:find("^[%a_]") then
        fail(reader, ("a name expected, got '%s'"):format(tostring(token)))
    end
    advance(reader)
    return token
end

local function integer(reader)
    local value = math.tointeger(tonumber(reader.token))
    if not value then
        fail(reader, ("an integer expected, got '%s'"):format(tostring(reader.token)))
    end
    advance(reader)
    return value
end

local expression

local function items(reader, close)
    local list = {}
    while not accept(reader, close) do
        list[#list + 1] = expression(reader)
        if reader.token ~= close then expect(reader, ",") end
    end
    return list
end

local function ranges_of(values)
    table.sort(values)
    local ranges = {}
    for _, v in ipairs(values) do
        if #ranges > 0 and v <= ranges[#ranges] + 1 then
            ranges[#ranges] = v
        else
            ranges[#ranges + 1], ranges[#ranges + 2] = v, v
        end
    end
    return ranges
end

function expression(reader)
    local token = reader.token
    if accept(reader, "[") then return items(reader, "]") end
    if accept(reader, "{") then return {set = ranges_of(items(reader, "}"))} end
    if accept(reader, "true") then return 1 end
    if accept(reader, "false") then return 0 end
    if token and token:find("^%-?%d") then
        if not math.tointeger(tonumber(token)) then -- a float, in annotations
            advance(reader)
            return {text = token}
        end
        local low = integer(reader)
        if not accept(reader, "..") then return low end
        local high = integer(reader)
        return {set = low <= high and {low, high} or {}}
    end
    if token and token:sub(1, 1) == '"' then
        advance(reader)
        return {text = token}
    end
    local word = name(reader)
    if accept(reader, "(") then return {call = word, arguments = items(reader, ")")} end
    local value = reader.names[word]
    if value ~= nil then
        if not accept(reader, "[") then return value end
        local index = integer(reader)
        expect(reader, "]")
        return value[index]
    end
    return {call = word, arguments = {}}
end

local function annotations(reader)
    local list = {}
    while accept(reader, "::") do
        list[#list + 1] = expression(reader)
    end
    return list
end

-- The domain behind `var` or `of`: ranges, "bool", or nil for any integer.
local function basic_type(reader)
    if accept(reader, "bool") then return {0, 1}, true end
    if accept(reader, "int") then return nil end
    if accept(reader, "float") or accept(reader, "set") then
        fail(reader, "float and set variables are not supported")
    end
    return expression(reader).set
end

local function is_output(list)
    for _, a in ipairs(list) do
        if a.call == "output_var" or a.call == "output_array" then return true end
    end
    return false
end

local function mark(model, value)
    if type(value) == "table" and value.var then
        model.outputs[value.var] = true
    elseif type(value) == "table" and not value.set then
        for _, element in ipairs(value) do mark(model, element) end
    end
end

local function declare_variable(reader, model)
    local ranges, boolean = basic_type(reader)
    expect(reader, ":")
    local word = name(reader)
    local notes = annotations(reader)
    local value
    if accept(reader, "=") then
        value = expression(reader)
        if ranges and not boolean then -- the declared domain is a constraint on the value
            model.constraints[#model.constraints + 1] =
                {name = "set_in", arguments = {value, {set = ranges}}}
            model.declared = model.declared + 1
        end
    else
        if ranges and #ranges == 0 then -- no value: the solver has a constraint that fails
            model.constraints[#model.constraints + 1] =
                {name = "bool_clause", arguments = {{}, {}}}
            model.declared = model.declared + 1
            ranges = {0, 1}
        end
        model.vars[#model.vars + 1] = {name = word, ranges = ranges or {-WIDEST, WIDEST}}
        value = {var = #model.vars}
    end
    reader.names[word] = value
    if is_output(notes) then mark(model, value) end
end

local function declare_parameter(reader)
    while reader.token ~= ":" do -- int, bool, 1..3, set of int, ...
        advance(reader)
    end
    advance(reader)
    local word = name(reader)
    annotations(reader)
    expect(reader, "=")
    reader.names[word] = expression(reader)
end

local function declare_array(reader, model)
    expect(reader, "[")
    expression(reader)
    expect(reader, "]")
    expect(reader, "of")
    while reader.token ~= ":" do
        advance(reader)
    end
    advance(reader)
    local word = name(reader)
    local notes = annotations(reader)
    local value = {}
    if accept(reader, "=") then
        value = expression(reader)
    else
        fail(reader, "an array without a value")
    end
    reader.names[word] = value
    if is_output(notes) then mark(model, value) end
end

local function item(reader, model)
    if accept(reader, "predicate") then
        while reader.token and reader.token ~= ";" do advance(reader) end
    elseif accept(reader, "var") then
        declare_variable(reader, model)
    elseif accept(reader, "array") then
        declare_array(reader, model)
    elseif accept(reader, "constraint") then
        local word = name(reader)
        expect(reader, "(")
        local arguments = items(reader, ")")
        annotations(reader)
        model.constraints[#model.constraints + 1] = {name = word, arguments = arguments}
    elseif accept(reader, "solve") then
        annotations(reader)
        model.goal = name(reader)
        if model.goal ~= "satisfy" then
            model.objective = expression(reader)
        end
    else
        declare_parameter(reader)
    end
    expect(reader, ";")
end

-- The model in `text`, or nil and a message.
function flatzinc.read(text)
    local reader = {text = text, at = 1, names = {}}
    local model = {vars = {}, constraints = {}, outputs = {}, goal = "satisfy", declared = 0}
    local ok, message = pcall(function()
        advance(reader)
        while reader.token do item(reader, model) end
    end)
    if not ok then return nil, message end
    model.any_output = next(model.outputs) ~= nil
    return model
end

return flatzinc
