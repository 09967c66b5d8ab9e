import Glibc
import Testing
import TributaryCore
import TributaryState

@Suite struct ExternalSorterTests {
    /// What came out: value nil for a tombstone.
    struct Output: Equatable {
        let key: [UInt8]
        let value: [UInt8]
        let isTombstone: Bool
    }

    /// Adds random records to a sorter and a dictionary and compares what comes out.
    private func compare(
        arenaBytes: Int, records: Int, seed: UInt64, key: (inout Generator) -> [UInt8]
    ) throws {
        var generator = Generator(state: seed)
        let sorter = ExternalSorter(folder: "/tmp", arenaBytes: arenaBytes)
        var model: [[UInt8]: Output] = [:]
        for number in 0..<records {
            let key = key(&generator)
            let isTombstone = Int.random(in: 0..<5, using: &generator) == 0
            let value = [UInt8](repeating: UInt8(number & 0xff), count: Int.random(in: 0..<40, using: &generator))
            try sorter.add(key.span.bytes, value.span.bytes, isTombstone: isTombstone)
            model[key] = Output(key: key, value: value, isTombstone: isTombstone)
        }
        let wanted = model.values.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        let found = try outputs(of: sorter)
        #expect(found.count == wanted.count)
        #expect(found == wanted)
        #expect(try outputs(of: sorter).isEmpty, "a sorter that has finished is empty")
    }

    private func outputs(of sorter: ExternalSorter) throws -> [Output] {
        var found: [Output] = []
        try sorter.finish { (key, value) throws(StoreError) in
            found.append(Output(key: [UInt8](copying: key), value: [UInt8](copying: value), isTombstone: true))
        } entry: { (key, value) throws(StoreError) in
            found.append(Output(key: [UInt8](copying: key), value: [UInt8](copying: value), isTombstone: false))
        }
        return found
    }

    private static func shortKey(_ generator: inout Generator) -> [UInt8] {
        (0..<Int.random(in: 0...4, using: &generator)).map { _ in UInt8.random(in: 0...6, using: &generator) &* 40 }
    }

    /// Keys with the same first 20 bytes, some of them the beginning of others, zeros among them.
    private static func sharedPrefix(_ generator: inout Generator) -> [UInt8] {
        [UInt8](repeating: 7, count: 20)
            + (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                UInt8.random(in: 0...1, using: &generator)
            }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `the last record of each key comes out in order, from memory alone`(seed: UInt64) throws {
        try compare(arenaBytes: 1 << 20, records: 5000, seed: seed, key: Self.shortKey)
        try compare(arenaBytes: 1 << 20, records: 5000, seed: seed, key: Self.sharedPrefix)
        try compare(arenaBytes: 1 << 20, records: 3000, seed: seed) { generator in
            (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
    }

    @Test(arguments: [UInt64(4), 5])
    func `the same comes out of spilled runs, also when runs are merged again`(seed: UInt64) throws {
        try compare(arenaBytes: 64 * 1024, records: 10_000, seed: seed, key: Self.sharedPrefix)
        // An arena of 1024 bytes holds 16 records: 2,000 make 125 runs, merged by 32.
        try compare(arenaBytes: 1024, records: 2000, seed: seed, key: Self.shortKey)
        try compare(arenaBytes: 1024, records: 2000, seed: seed, key: Self.sharedPrefix)
    }

    @Test func `a record larger than the arena passes`() throws {
        let sorter = ExternalSorter(folder: "/tmp", arenaBytes: 1024)
        let large = [UInt8](repeating: 3, count: 300_000)
        for number in 0..<5 {
            try sorter.add([UInt8(9 - number)].span.bytes, large.span.bytes)
            try sorter.add([UInt8(number)].span.bytes, [UInt8(number)].span.bytes)
        }
        let found = try outputs(of: sorter)
        #expect(found.map(\.key) == (0..<10).map { [UInt8($0)] })
        #expect(found.last?.value == large)
    }

    @Test(arguments: [0, 5, 11, 12, 60, -1])
    func `a run that was cut off is an error`(length: Int) throws {
        let sorter = ExternalSorter(folder: "/tmp", arenaBytes: 1024)
        for number in 0..<100 { try sorter.add([UInt8(number)].span.bytes, [1, 2, 3].span.bytes) }
        let run = try #require(sorter.runDescriptors.first)
        let size = lseek(run, 0, SEEK_END)
        #expect(ftruncate(run, length < 0 ? size + length : length) == 0)
        let error = #expect(throws: StoreError.self) { try outputs(of: sorter) }
        #expect(error?.code == .corrupt)
    }

    @Test func `a run with a flipped bit is an error`() throws {
        let sorter = ExternalSorter(folder: "/tmp", arenaBytes: 1024)
        for number in 0..<100 { try sorter.add([UInt8(number)].span.bytes, [1, 2, 3].span.bytes) }
        let run = try #require(sorter.runDescriptors.last)
        var byte: UInt8 = 0
        #expect(pread(run, &byte, 1, 40) == 1)
        byte ^= 1
        #expect(pwrite(run, &byte, 1, 40) == 1)
        let error = #expect(throws: StoreError.self) { try outputs(of: sorter) }
        #expect(error?.code == .corrupt)
    }

    @Test func `a folder that is not there is an error`() throws {
        let sorter = ExternalSorter(folder: "/nowhere/at/all", arenaBytes: 1024)
        let error = #expect(throws: StoreError.self) {
            for number in 0..<100 { try sorter.add([UInt8(number)].span.bytes, [1].span.bytes) }
        }
        #expect(error?.code == .io)
    }

    @Test(arguments: [0, 1, 2, 25, 255, 256, 5000])
    func `the radix sort orders words, ties by the closure, and is stable`(count: Int) {
        var generator = Generator(state: UInt64(count) + 1)
        var sorter = RadixSorter()
        for mask: UInt64 in [.max, 0xff, 0xff00_0000_0000_0000, 0x3, 0] {
            let words = (0..<count).map { _ in generator.next() & mask }
            let ties = (0..<count).map { _ in Int.random(in: 0..<4, using: &generator) }
            sorter.removeAll()
            for (index, word) in words.enumerated() { sorter.append(word: word, index: UInt32(index)) }
            sorter.sort { ties[Int($0)] < ties[Int($1)] }
            let wanted = (0..<count).sorted {
                (words[$0], ties[$0], $0) < (words[$1], ties[$1], $1)
            }
            #expect((0..<sorter.count).map { Int(sorter[$0]) } == wanted)
        }
    }
}

/// SplitMix64, so that a failure can be repeated.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
