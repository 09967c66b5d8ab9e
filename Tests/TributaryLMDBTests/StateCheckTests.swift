import CLMDB
import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryState

@testable import TributaryLMDB

/// What is found wrong in a state file before and while it is used.
@Suite struct StateCheckTests {
    private let folder: TemporaryFolder
    private let directory: String
    private var file: String { directory + "/state.mdb" }

    init() throws {
        folder = try TemporaryFolder()
        directory = folder.path + "/task"
    }

    private func open(_ change: (inout LMDBStateOptions) -> Void = { _ in }) throws -> LMDBStateEngine {
        var options = testOptions
        change(&options)
        return try LMDBStateEngine(directory: directory, options: options)
    }

    private func code(_ body: () throws -> Void) -> StoreError.Code? {
        do { try body() } catch { return (error as? StoreError)?.code }
        return nil
    }

    private func bytes(_ number: Int, _ count: Int = 8) -> [UInt8] {
        (0..<count).map {
            UInt8(truncatingIfNeeded: number >> (8 * (count - 1 - $0) % 64)) &+ UInt8(truncatingIfNeeded: $0 / 8)
        }
    }

    /// Random writes, deletes, drops, aborts and commits, of small, large and long-keyed rows.
    private func work(_ seed: UInt64, rounds: Int) throws {
        var random = FastRandom(seed: seed)
        let engine = try open()
        defer { engine.close() }
        for round in 0..<rounds {
            for _ in 0..<Int(random.next() % 400) {
                let table = try engine.table("t\(random.next() % 4)")
                var key = bytes(Int(random.next() % 3000), 4 + Int(random.next() % 12))
                if random.next() % 50 == 0 { key = [UInt8](repeating: 5, count: 504) + key.prefix(2) }
                if random.next() % 3 == 0 {
                    try table.delete(unsafe key.span.bytes)
                } else {
                    let size = random.next() % 40 == 0 ? random.next() % 20_000 : random.next() % 200
                    try put(table, key, [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: Int(size)))
                }
            }
            if random.next() % 12 == 0 { try engine.dropTable("t\(random.next() % 4)") }
            if random.next() % 5 == 0 { engine.abort() } else { try engine.commit() }
        }
    }

    @Test(arguments: UInt64(1)...6)
    func `whatever LMDB writes is found sound`(seed: UInt64) throws {
        for round in 0..<4 {
            try work(seed &* 100 &+ UInt64(round), rounds: 12)
            do {
                let walk = try LMDBStateEngine.walk(file)
                let engine = try open()
                var rows = 1  // the format's record
                for name in try engine.tableNames() {
                    rows += try engine.table(name).count() - engine.known(name).state.value.surplus
                }
                rows += try engine.metadataTable.count() - 1
                engine.close()
                #expect(walk.rows == UInt64(rows))
            } catch let error as LMDBDamage {
                Issue.record("\(error)")
            }
        }
    }

    @Test func `a row that is not what was written is an error, and the next opening is refused`() throws {
        let engine = try open()
        let table = try engine.table("store")
        try put(table, [1], Array("the value that is flipped".utf8))
        try put(table, [2], Array("another".utf8))
        try engine.commit()
        try flip(Array("the value".utf8))
        #expect(code { _ = try get(table, [1]) } == .corrupt)
        #expect(try get(table, [2]) == Array("another".utf8))
        let cursor = try table.cursor(from: nil, through: nil, reverse: false)
        var key = ByteWriter()
        var value = ByteWriter()
        #expect(code { _ = try cursor.next(key: &key, value: &value) } == .corrupt)
        let reader = engine.makeReader()
        let wanted: [UInt8] = [1]
        #expect(code { _ = try reader.get("store", unsafe wanted.span.bytes, into: &value) } == .corrupt)
        engine.close()
        let error = #expect(throws: StoreError.self) { _ = try open() }
        #expect(error?.code == .corrupt && error?.message.contains("found damaged") == true)
        // Turned back: the mark holds all the same, until the state is given up.
        try flip(Array("the value".utf8), from: 4)
        #expect(code { _ = try open() } == .corrupt)
        try LMDBStateEngine.delete(directory: directory)
        let again = try open()
        #expect(try again.tableNames() == [])
        again.close()
        try open().close()
    }

    /// Turns a bit of the byte where a text is found, or stands in for one that was turned before.
    private func flip(_ text: [UInt8], from turned: UInt8 = 0) throws {
        var wanted = text
        wanted[0] ^= turned
        var all = try contents(file)
        let place = try #require(
            (0..<(all.count - wanted.count)).last { Array(all[$0..<($0 + wanted.count)]) == wanted })
        all[place] ^= 4
        let handle = unsafe Glibc.open(file, O_RDWR)
        defer { Glibc.close(handle) }
        #expect(unsafe pwrite(handle, [all[place]], 1, place) == 1)
    }

    @Test func `a key that was flipped is an error at the next opening`() throws {
        let engine = try open()
        try put(try engine.table("store"), Array("a key of its own".utf8), [1])
        try engine.commit()
        engine.close()
        try flip(Array("a key of its own".utf8))
        #expect(code { _ = try open() } == .corrupt)
    }

    @Test func `a large file that was closed is not read through, one that was not is`() throws {
        let engine = try open()
        try put(try engine.table("store"), [1], Array("the value that is flipped".utf8))
        try engine.commit()
        engine.close()
        try flip(Array("the value".utf8))
        try open { $0.checkedBytes = 0 }.close()
        try StateMarks(file).opened(StateMarks.Run(deaths: 0, isMade: true))
        #expect(code { _ = try open { $0.checkedBytes = 0 } } == .corrupt)
    }

    @Test func `an error that nothing explains keeps the file from being taken for closed`() throws {
        for (code, isDoubtful) in [(MDB_BAD_TXN, true), (ENOSPC, false), (EIO, true), (MDB_MAP_FULL, false)] {
            let engine = try open()
            engine.marks.note(LMDBError(code: code, call: "mdb_get", path: file))
            engine.close()
            #expect((StateMarks(file).unclosed != nil) == isDoubtful, "\(code)")
        }
        for _ in 0..<2 {
            let engine = try open()
            engine.marks.note(LMDBError(code: MDB_BAD_TXN, call: "mdb_get", path: file))
            engine.close()
        }
        #expect(code { _ = try open() } == .corrupt)
    }

    @Test func `the checksum of a row is the one that the formats' page says`() {
        let (key, value): ([UInt8], [UInt8]) = ([0, 1], Array("hello".utf8))
        #expect(RowSeal("counts").checksum(unsafe key.span.bytes, unsafe value.span.bytes) == 0x4fde_533f)
        let stored = value + [0x4f, 0xde, 0x53, 0x3f]
        #expect(RowSeal("counts").open(unsafe key.span.bytes, unsafe stored.span.bytes)?.byteCount == 5)
        #expect(RowSeal("counts").open(unsafe value.span.bytes, unsafe stored.span.bytes) == nil)
        #expect(RowSeal("counts").open(unsafe key.span.bytes, unsafe value.span.bytes.prefix(3)) == nil)
        #expect(RowSeal("count").open(unsafe key.span.bytes, unsafe stored.span.bytes) == nil)
    }

    // MARK: Deaths

    /// What a process that dies leaves: the marks as they were while it had the file open.
    private func die(_ body: (LMDBStateEngine) throws -> Void = { _ in }) throws {
        let engine = try open()
        try body(engine)
        let mark = try contents(file + "-open")
        engine.close()
        try StateFiles.write(file + "-open", mark)
    }

    @Test func `after two deaths in a row before anything was processed the file is refused, after one it isn't`()
        throws
    {
        try open().close()
        try die()
        try die()
        let error = #expect(throws: StoreError.self) { _ = try open() }
        #expect(error?.code == .corrupt && error?.message.contains("2 starts") == true)
        try open { $0.maximumDeaths = .max }.close()
        try die()
        try open().close()
        try die()
        try die { $0.noteProgress() }
        try die { $0.noteProgress() }
        try die()
        try open().close()
    }

    @Test func `a file that lacks free pages at its end after a death is made whole`() throws {
        try work(3, rounds: 6)
        let engine = try open()
        let table = try engine.table("last")
        for key in 0..<4000 { try put(table, bytes(key), [UInt8](repeating: 1, count: 100)) }
        for key in (0..<4000).reversed() { try table.delete(unsafe bytes(key).span.bytes) }
        try engine.commit()
        engine.close()
        let whole = try contents(file)
        let size = whole.count
        // LMDB itself never writes pages at the end that were taken and given back in one transaction.
        var cut = size
        while cut > 4096 {
            #expect(unsafe truncate(file, cut - 4096) == 0)
            guard (try? LMDBStateEngine.walk(file)) != nil else { break }
            cut -= 4096
        }
        #expect(cut < size)
        try StateFiles.write(file, Array(whole.prefix(cut)))
        #expect(code { _ = try LMDBStateReader(directory: directory) } == nil)
        #expect(StateFiles.size(file) == cut, "a reader writes nothing")
        try open().close()
        #expect(StateFiles.size(file) == size)
    }

    @Test func `a file that is gone or empty, but was in use, is an error`() throws {
        let engine = try open()
        try put(try engine.table("store"), [1], [1])
        try engine.commit()
        engine.close()
        #expect(unsafe truncate(file, 0) == 0)
        #expect(code { _ = try open() } == .corrupt)
        try StateFiles.delete(file)
        #expect(code { _ = try open() } == .corrupt)
        // A process that died while it made the file leaves nothing to lose.
        try StateMarks(file).opened(StateMarks.Run(deaths: 1, isMade: false))
        try open().close()
    }

    // MARK: Syncs

    @Test func `a rebuilt file is on disk before it takes the old one's place, and the folder after`() throws {
        let faults = LMDBFaults()
        let engine = try open { $0.faults = faults }
        defer { engine.close() }
        try put(try engine.table("store"), [1], [1])
        try engine.commit()
        _ = faults.takeSteps()
        try engine.rebuild(keeping: ["store"], metadata: []) { _ in }
        let steps = faults.takeSteps()
        let sync = try #require(steps.firstIndex(of: .sync(file + ".rebuild")))
        let replace = try #require(steps.firstIndex(of: .replace(file)))
        let entries = try #require(steps.firstIndex(of: .syncFolder(directory)))
        let commit = try #require(
            steps.lastIndex { if case .commit(file + ".rebuild", _) = $0 { true } else { false } })
        #expect(commit < sync && sync < replace && replace < entries)
    }

    @Test func `a rebuilt file that can't be written to disk doesn't take the old one's place`() throws {
        let faults = LMDBFaults()
        let engine = try open { $0.faults = faults }
        defer { engine.close() }
        let table = try engine.table("store")
        try put(table, [1], [1])
        try engine.commit()
        faults.failSync(1)
        #expect(code { try engine.rebuild(keeping: [], metadata: []) { _ in } } == .io)
        faults.clear()
        #expect(try get(table, [1]) == [1])
    }

    @Test func `new folders and a new file are on disk before anything counts on them`() throws {
        let faults = LMDBFaults()
        let deep = folder.path + "/a/b/c"
        var options = testOptions
        options.faults = faults
        try LMDBStateEngine(directory: deep, options: options).close()
        let folders = faults.takeSteps().compactMap { step in
            if case .syncFolder(let path) = step { path } else { nil }
        }
        #expect(folders == [folder.path, folder.path + "/a", folder.path + "/a/b", deep])
        try LMDBStateEngine(directory: deep, options: options).close()
        #expect(!faults.takeSteps().contains { if case .syncFolder = $0 { true } else { false } })
    }

    @Test(arguments: [LMDBStateOptions.Durability.standard, .full, .fast])
    func `commits wait for the disk as their durability says`(durability: LMDBStateOptions.Durability) throws {
        let faults = LMDBFaults()
        let engine = try open {
            $0.faults = faults
            $0.durability = durability
        }
        defer { engine.close() }
        _ = faults.takeSteps()
        try put(try engine.table("store"), [1], [1])
        try engine.commit()
        #expect(faults.takeSteps() == [.commit(file, isSynced: durability != .fast)])
    }

    @Test(arguments: [EmbeddedLogConfiguration.Durability.synced, .relaxed])
    func `commits of the log wait for the disk as its durability says`(
        durability: EmbeddedLogConfiguration.Durability
    ) throws {
        let faults = LMDBFaults()
        let log = try openLog(folder) {
            $0.faults = faults
            $0.durability = durability
        }
        defer { log.close() }
        try log.createTopics([TopicSpecification("t")])
        _ = faults.takeSteps()
        try log.write([TestRecord("k", "1")], to: "t")
        let steps = faults.takeSteps()
        #expect(steps == [.commit(folder.path + "/log/log.mdb", isSynced: durability == .synced)])
    }

    // MARK: Disk space

    @Test func `a commit that finds less disk space than the reserve writes nothing`() throws {
        let disk = try smallDisk(8 << 20)
        let engine = try LMDBStateEngine(directory: disk.path + "/task", options: testOptions)
        defer { engine.close() }
        let table = try engine.table("store")
        try put(table, [1], [1])
        try engine.commit()
        // A 64th of the disk is 128 KiB.
        try disk.fill(leaving: 100 << 10)
        try put(table, [1], [2])
        let error = #expect(throws: StoreError.self) { try engine.commit() }
        #expect(error?.code == .diskFull && error?.message.contains("reserve of 131072") == true)
        #expect(code { _ = try get(table, [1]) } == .diskFull, "what was not committed must not look as if it were")
        engine.abort()
        #expect(try get(table, [1]) == [1])
        disk.empty()
        try put(table, [1], [3])
        try engine.commit()
        #expect(try get(table, [1]) == [3])
    }

    @Test func `a stopped process that holds the state directory is named as such`() throws {
        let child = try Program(["sleep", "30"])
        defer { child.kill() }
        try StateFiles.makeFolder(directory)
        let path = directory + "/.lock"
        try StateFiles.write(path, Array("process \(child.id) since 0\n".utf8))
        let held = unsafe Glibc.open(path, O_RDWR)
        defer { Glibc.close(held) }
        #expect(flock(held, LOCK_EX | LOCK_NB) == 0)
        child.signal(SIGSTOP)
        var message = ""
        for _ in 0..<200 where !message.contains("stopped") {
            let error = #expect(throws: StoreError.self) { _ = try StateDirectoryLock(directory: directory) }
            message = error?.message ?? ""
            usleep(5000)
        }
        #expect(message.contains("process \(child.id), which is stopped"), "\(message)")
    }
}
