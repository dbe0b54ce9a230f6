-- Fields for the decisions in captures of "overtap capture": overtap.verdict == "dropped", overtap.reason == "no_pvid".
-- A post-dissector over the comments of packets ("overtap key=value ..."). Put it into Wireshark's folder of personal Lua
-- plugins (Help, About, Folders), or name it: tshark -X lua_script:overtap.lua
local overtap = Proto("overtap", "overtap decision")

local strings = {}
for _, name in ipairs({ "verdict", "reason", "port", "remote" }) do
  strings[name] = ProtoField.string("overtap." .. name, name)
end
local numbers = {}
for _, name in ipairs({ "vlan", "vni", "copies" }) do
  numbers[name] = ProtoField.uint32("overtap." .. name, name)
end

local fields = {}
for _, field in pairs(strings) do fields[#fields + 1] = field end
for _, field in pairs(numbers) do fields[#fields + 1] = field end
overtap.fields = fields

local comment = Field.new("frame.comment")

function overtap.dissector(buffer, _, root)
  for _, found in ipairs({ comment() }) do
    local text = tostring(found.value)
    if text:sub(1, 8) == "overtap " then
      local tree = root:add(overtap, buffer(0, 0))
      for key, value in text:gmatch("(%w+)=(%S+)") do
        if strings[key] then
          tree:add(strings[key], value)
        elseif numbers[key] and tonumber(value) then
          tree:add(numbers[key], tonumber(value))
        end
      end
    end
  end
end

register_postdissector(overtap)
