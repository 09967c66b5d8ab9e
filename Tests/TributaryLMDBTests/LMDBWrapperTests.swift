import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite struct LMDBWrapperTests {
    @Test func `what is written is read in order after the commit`() throws {
        let folder = try TemporaryFolder()
        let environment = try LMDBEnvironment(path: folder.path + "/a.mdb")
        var write = try environment.write()
        let table = try write.openDatabase("t")
        let cursor = try write.openCursor(table)
        for key: UInt8 in [1, 2, 3] {
            let bytes = [key]
            unsafe try write.put(cursor, bytes.span.bytes, bytes.span.bytes)
        }
        try write.commit()
        let read = try environment.read()
        #expect(try read.count(table) == 3)
        let walk = try read.cursor(table)
        var seen: [UInt8] = []
        var entry = try walk.move(.first)
        while let found = entry {
            seen.append(found.key.byte(at: 0) ?? 0)
            entry = try walk.move(.next)
        }
        #expect(seen == [1, 2, 3])
        let bytes: [UInt8] = [2]
        let at = unsafe try walk.seek(bytes.span.bytes)
        #expect(at?.value.byte(at: 0) == 2)
    }

    // A commit's meta page is seen before its number is, by readers whose writer waits for the disk, is stopped or was killed there.
    @Test func `a reader sees the commit before one that is not yet known`() throws {
        let folder = try TemporaryFolder()
        let environment = try LMDBEnvironment(path: folder.path + "/a.mdb")
        var table: LMDBDatabase?
        for value: UInt8 in [1, 2, 3] {
            var write = try environment.write()
            let opened = try write.openDatabase("t")
            unsafe try write.put(opened, [7].span.bytes, [value].span.bytes)
            try write.commit()
            table = opened
        }
        // LMDB's number of the newest commit lies behind its lock for readers.
        let lock = unsafe open(folder.path + "/a.mdb-lock", O_RDWR)
        defer { close(lock) }
        var newest: UInt64 = 0
        #expect(unsafe pread(lock, &newest, 8, 48) == 8 && newest == 3)
        var before = newest - 1
        #expect(unsafe pwrite(lock, &before, 8, 48) == 8)
        let read = try environment.read()
        #expect(unsafe try read.value(try #require(table), [7].span.bytes)?.byte(at: 0) == 2)
        #expect(unsafe pwrite(lock, &newest, 8, 48) == 8)
        let now = try environment.read()
        #expect(unsafe try now.value(try #require(table), [7].span.bytes)?.byte(at: 0) == 3)
    }

    @Test func `an aborted transaction leaves nothing and a kept one can be committed`() throws {
        let folder = try TemporaryFolder()
        let environment = try LMDBEnvironment(path: folder.path + "/a.mdb")
        var kept: WriteTransaction? = try environment.write()
        let table = try #require(try kept?.openDatabase("t"))
        let key: [UInt8] = [7]
        unsafe try kept?.put(table, key.span.bytes, key.span.bytes)
        try kept.take()?.commit()
        var second = try environment.write()
        #expect(unsafe try second.delete(table, key.span.bytes))
        second.abort()
        let read = try environment.read()
        #expect(unsafe try read.value(table, key.span.bytes)?.byteCount == 1)
    }

    @Test func `a cursor of an ended transaction is refused`() throws {
        let folder = try TemporaryFolder()
        let environment = try LMDBEnvironment(path: folder.path + "/a.mdb")
        var write = try environment.write()
        let table = try write.openDatabase("t")
        let old = try write.openCursor(table)
        try write.commit()
        var next = try environment.write()
        let key: [UInt8] = [7]
        #expect(throws: LMDBError.self) { unsafe try next.put(old, key.span.bytes, key.span.bytes) }
        next.abort()
    }

    @Test func `a full disk spoils the transaction and keeps what was committed`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let environment = try LMDBEnvironment(path: folder.path + "/a.mdb", options: LMDBOptions(faults: faults))
        let key: [UInt8] = [7]
        var write = try environment.write()
        let table = try write.openDatabase("t")
        unsafe try write.put(table, key.span.bytes, key.span.bytes)
        try write.commit()
        faults.failWrite(1)
        var second = try environment.write()
        do throws(LMDBError) {
            unsafe try second.put(table, key.span.bytes, [UInt8]().span.bytes)
            Issue.record("no failure")
        } catch {
            #expect(error.kind == .diskFull)
        }
        faults.clear()
        do throws(LMDBError) {
            try second.commit()
            Issue.record("no failure")
        } catch {
            #expect(error.kind == .badTransaction)
        }
        faults.failCommit(1)
        let third = try environment.write()
        do throws(LMDBError) {
            try third.commit()
            Issue.record("no failure")
        } catch {
            #expect(error.kind == .diskFull)
        }
        faults.clear()
        let read = try environment.read()
        #expect(unsafe try read.value(table, key.span.bytes)?.byteCount == 1)
    }

    @Test func `a map at its limit is told apart`() throws {
        let folder = try TemporaryFolder()
        let environment = try LMDBEnvironment(path: folder.path + "/a.mdb", options: LMDBOptions(mapSize: 1 << 16))
        var write = try environment.write()
        let table = try write.openDatabase("t")
        let key: [UInt8] = [7]
        let large = [UInt8](repeating: 1, count: 1 << 17)
        do throws(LMDBError) {
            unsafe try write.put(table, key.span.bytes, large.span.bytes)
            Issue.record("no failure")
        } catch {
            #expect(error.kind == .mapFull)
        }
    }
}
