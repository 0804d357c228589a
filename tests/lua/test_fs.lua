-- SPDX-License-Identifier: MIT
local cns = require "cns"
local fs = cns.fs

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    return text
end

return function(test)
    local root = assert(fs.tempdir("cns-test"))

    test("folders", function(t)
        t.equal(fs.stat(root).kind, "directory")
        t.equal(fs.stat(root).mode, tonumber("700", 8))
        t.equal(fs.mkdir(root .. "/d"), true)
        t.fails("/d: File exists", fs.mkdir(root .. "/d"))
        t.equal(fs.write_atomic(root .. "/d/b", "1"), true)
        t.equal(fs.write_atomic(root .. "/d/a", "2"), true)
        t.same(fs.list(root .. "/d"), {"a", "b"})
        t.fails("not empty", fs.rmdir(root .. "/d"))
        os.remove(root .. "/d/a")
        os.remove(root .. "/d/b")
        t.equal(fs.rmdir(root .. "/d"), true)
        t.fails("No such file", fs.list(root .. "/d"))
        t.fails("No such file", fs.stat(root .. "/d"))
    end)

    test("files", function(t)
        local path = root .. "/f"
        local text = ("0123456789\0"):rep(100000)
        t.equal(fs.write_atomic(path, text), true)
        t.equal(read(path), text)
        t.same({fs.stat(path).size, fs.stat(path).kind}, {#text, "file"})
        t.equal(fs.truncate(path, 5), true)
        t.equal(read(path), "01234")
        t.equal(fs.chmod(path, tonumber("640", 8)), true)
        t.equal(fs.write_atomic(path, "new"), true)
        t.equal(fs.stat(path).mode, tonumber("640", 8), "the mode is kept")
        t.equal(read(path), "new")
        t.same(fs.list(root), {"f"})
        t.equal(fs.stat("/dev/null").kind, "other")
        t.fails("No such file", fs.truncate(root .. "/none", 1))
        t.fails("No such file", fs.chmod(root .. "/none", 1))
        t.fails("No such file", fs.write_atomic(root .. "/none/x", "1"))
        t.fails("s? a directory", fs.write_atomic(root, "1"))
        t.same(fs.list(root), {"f"})
    end)

    test("arguments", function(t)
        t.raises("a path has no zero bytes", fs.mkdir, "a\0b")
        t.raises("a path is not empty", fs.mkdir, "")
        t.raises("string expected, got no value", fs.mkdir)
        t.raises("integer in 0..4095 expected, got %-1", fs.chmod, root, -1)
        t.raises("integer >= 0 expected, got %-1", fs.truncate, root, -1)
        t.raises("a prefix is a plain name", fs.tempdir, "../x")
        t.raises("string expected", fs.write_atomic, root .. "/x")
    end)

    test("what is no file is written to and not replaced", function(t)
        -- Links, so that a mistake here costs a link and not the machine's device.
        for _, device in ipairs {"null", "full"} do
            assert(os.execute(("ln -s /dev/%s '%s/%s'"):format(device, root, device)))
        end
        t.equal(fs.write_atomic(root .. "/null", "x"), true)
        t.fails("No space left", fs.write_atomic(root .. "/full", "x"))
        t.equal(fs.stat(root .. "/null").kind, "other")
        t.equal(fs.stat(root .. "/full").kind, "other")
        assert(os.execute(("cd '%s' && mkfifo pipe && cat pipe >out &"):format(root)))
        while not fs.stat(root .. "/pipe") do cns.sleep(0.001) end
        t.equal(fs.write_atomic(root .. "/pipe", "through"), true)
        while read(root .. "/out") ~= "through" do cns.sleep(0.001) end
        t.equal(fs.stat(root .. "/pipe").kind, "other")
        t.fails("directory", fs.write_atomic(root, "x"))
        t.equal(#fs.list(root), 4 + 1, "nothing is left behind")
    end)

    test("a link stays, and its file is replaced", function(t)
        local folder = assert(fs.tempdir("cns-test"))
        fs.write_atomic(folder .. "/file", "old")
        assert(os.execute(("ln -s file '%s/link'"):format(folder)))
        t.equal(fs.write_atomic(folder .. "/link", "new"), true)
        t.equal(read(folder .. "/file"), "new")
        t.ok(os.execute(("test -L '%s/link'"):format(folder)), "the link is a file now")
        t.equal(fs.remove_tree(folder), true)
    end)

    test("remove_tree takes only what tempdir made", function(t)
        t.raises("not a folder that fs.tempdir made", fs.remove_tree, "/tmp")
        t.raises("not a folder that fs.tempdir made", fs.remove_tree, root .. "/.")
        fs.mkdir(root .. "/outside")
        fs.write_atomic(root .. "/outside/kept", "1")
        local tree = assert(fs.tempdir())
        fs.mkdir(tree .. "/a")
        fs.mkdir(tree .. "/a/b")
        fs.write_atomic(tree .. "/a/b/c", "1")
        -- A link to a folder is removed, what it points to is not entered.
        assert(os.execute(("ln -s '%s/outside' '%s/a/link'"):format(root, tree)))
        t.equal(fs.remove_tree(tree), true)
        t.fails("No such file", fs.stat(tree))
        t.equal(read(root .. "/outside/kept"), "1")
        t.raises("not a folder that fs.tempdir made", fs.remove_tree, tree)
        -- Another folder of the same name is not ours; neither is a link.
        local other = assert(fs.tempdir())
        fs.mkdir(root .. "/swap") -- before the other goes: inodes are used again
        fs.rmdir(other)
        assert(os.execute(("ln -s '%s/outside' '%s'"):format(root, other)))
        t.fails(".", fs.remove_tree(other))
        os.remove(other)
        assert(os.rename(root .. "/swap", other))
        local ok, message = pcall(fs.remove_tree, other)
        t.ok(not ok and message:find("another folder"), message)
        fs.rmdir(other)
    end)

    test("unprivileged", function(t)
        local path = root .. "/secret"
        fs.write_atomic(path, "1")
        fs.chmod(path, 0)
        fs.chmod(root, tonumber("755", 8))
        local root_reads = io.open(path)
        if root_reads then
            root_reads:close()
        end
        t.fails("Permission denied", fs.unprivileged(io.open, path))
        t.fails("Permission denied", fs.unprivileged(fs.unprivileged, io.open, path))
        t.raises("^boom$", fs.unprivileged, error, "boom")
        local back = io.open(path)
        t.equal(back ~= nil, root_reads ~= nil, "privileges came back")
        if back then
            back:close()
        end
        t.same({fs.unprivileged(function(...) return ... end, 1, nil, 3)}, {1, nil, 3})
        t.raises("function expected", fs.unprivileged, 1)
        local co = coroutine.wrap(function() fs.unprivileged(coroutine.yield) end)
        t.raises("yield", co)
    end)

    test("the end", function(t)
        fs.chmod(root .. "/secret", 0)
        t.equal(fs.remove_tree(root), true)
    end)
end
