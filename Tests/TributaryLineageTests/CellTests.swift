import Testing
import TributaryCore
import TributaryLineage

@Suite struct CellTests {
    let arena = CellArena()
    let orders = SourcePartition(cluster: "conformance", topic: "S1", partition: 0)
    let others = SourcePartition(cluster: "conformance", topic: "T1", partition: 0)

    func source(_ partition: SourcePartition, _ offset: Int64, at timestamp: Int64 = 100) -> Cell {
        arena.source(partition, offset: offset, timestamp: timestamp, fingerprint: 7)
    }

    func bytes(_ cell: Cell) -> [UInt8] {
        var writer = ByteWriter()
        arena.encode(cell, into: &writer)
        #expect(writer.count == arena.encodedSize(cell))
        return writer.copy()
    }

    @Test func `a topic's later lives are other sources, its first is that of the name`() {
        // T of the rules, written out: FNV-1a-64 of the bytes.
        func hash(_ bytes: [UInt8]) -> UInt32 {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            return UInt32(truncatingIfNeeded: hash)
        }
        let first = SourcePartition(cluster: "c", topic: "t", partition: 0, life: 1)
        #expect(
            first.source == hash(Array("c\0t".utf8)) && first.source == SourcePartition.source(cluster: "c", topic: "t")
        )
        #expect(first.digest(offset: 5) == SourcePartition(cluster: "c", topic: "t", partition: 0).digest(offset: 5))
        var digests: Set<UInt128> = [first.digest(offset: 5)]
        for life: UInt64 in [2, 3, 10, 123] {
            let source = SourcePartition(cluster: "c", topic: "t", partition: 0, life: life)
            #expect(source.source == hash(Array("c\0t\0\(life)".utf8)))
            #expect(digests.insert(source.digest(offset: 5)).inserted)
        }
        var names = SourceNames()
        names.add(cluster: "c", topic: "t", lives: 3)
        #expect(names[SourcePartition.source(cluster: "c", topic: "t", life: 3)] == "t")
        #expect(names[first.source] == "t (1)")
        #expect(names[SourcePartition.source(cluster: "c", topic: "t", life: 2)] == "t (2)")
        #expect(names[SourcePartition.source(cluster: "c", topic: "t", life: 4)] == nil)
    }

    @Test func `the digest of a record is H128 of its coordinate`() throws {
        let rows = try h128Vectors()
        #expect(rows.count == 7)
        var sum: UInt128 = 0
        for row in rows {
            let partition = SourcePartition(cluster: row.cluster, topic: row.topic, partition: row.partition)
            #expect(partition.source == row.source)
            #expect(partition.digest(offset: row.offset) == row.digest)
            sum = sum &+ partition.digest(offset: row.offset)
        }
        #expect(sum == UInt128("2c52aaf7994c84ffb8a8f2c8b8b01cf6", radix: 16))
    }

    @Test func `records of one source add up without the arena`() {
        let sum = arena.add(source(orders, 9, at: 5), arena.add(source(orders, 3, at: 8), source(orders, 3, at: 8)))
        #expect(sum.count == 3)
        #expect(sum.entries == 1)
        #expect(sum.first == CellEntry(source: orders.source, partition: 0, first: 3, last: 9, count: 3))
        #expect(sum.earliest == 5 && sum.latest == 8 && sum.fingerprint == 7)
        #expect(sum.digest == orders.digest(offset: 9) &+ orders.digest(offset: 3) &+ orders.digest(offset: 3))
        #expect(arena.mark == 0)
    }

    @Test func `an empty cell adds nothing but its flags`() {
        let cell = source(orders, 1, at: 50)
        for sum in [arena.add(cell, .empty), arena.add(.empty, cell)] { #expect(bytes(sum) == bytes(cell)) }
        let gap = Cell.empty.with(flags: Cell.gap)
        for sum in [arena.add(cell, gap), arena.add(gap, cell)] {
            #expect(bytes(sum) == bytes(cell.with(flags: Cell.gap)))
        }
        #expect(arena.add(.empty, .empty).isEmpty)
        #expect(arena.add(gap, .empty).flags == Cell.gap)
    }

    @Test func `flags of either side are in the sum`() {
        let (gap, impure) = (source(orders, 1).with(flags: Cell.gap), source(orders, 2).with(flags: Cell.impure))
        #expect(arena.add(gap, impure).flags == Cell.gap | Cell.impure)
        #expect(arena.add(source(orders, 3), gap).flags == Cell.gap)
        #expect(arena.add(gap, source(orders, 3)).flags == Cell.gap)
        #expect(arena.add(source(others, 3), gap).flags == Cell.gap)
    }

    @Test func `different topologies add to fingerprint 0, which stays`() {
        var other = source(orders, 2)
        other.fingerprint = 8
        let mixed = arena.add(source(orders, 1), other)
        #expect(mixed.fingerprint == 0)
        #expect(arena.add(mixed, source(orders, 1)).fingerprint == 0)
        #expect(arena.add(mixed, source(others, 1)).fingerprint == 0)
        #expect(arena.add(.empty, other).fingerprint == 8)
    }

    @Test func `order and grouping of sums can't be seen`() {
        var random = FastRandom(seed: 1)
        for _ in 0..<200 {
            let cells = (0..<12).map { _ in
                let topic = random.next() % 3 == 0 ? "S1" : "T1"
                let partition = Int32(random.next() % 5)
                return source(
                    SourcePartition(cluster: "c", topic: topic, partition: partition), Int64(random.next() % 50),
                    at: Int64(random.next() % 1000) - 500)
            }
            let forward = cells.reduce(.empty) { arena.add($0, $1) }
            let backward = cells.reversed().reduce(.empty) { arena.add($1, $0) }
            let halves = arena.add(
                cells[..<5].reduce(.empty) { arena.add($0, $1) }, cells[5...].reduce(.empty) { arena.add($0, $1) })
            #expect(bytes(forward) == bytes(backward))
            #expect(bytes(forward) == bytes(halves))
            arena.release(to: 0)
        }
    }

    @Test func `subtracting takes counts and digest out and keeps the ranges`() {
        let both = arena.add(arena.add(source(orders, 1, at: 1), source(orders, 9, at: 9)), source(others, 4, at: 4))
        let left = arena.subtract(both, source(orders, 9, at: 9))
        #expect(left.count == 2)
        #expect(left.flags == Cell.loose)
        #expect(left.digest == orders.digest(offset: 1) &+ others.digest(offset: 4))
        #expect(left.earliest == 1 && left.latest == 9)
        let entry = arena.entries(of: left).first { $0.source == orders.source }
        #expect(entry == CellEntry(source: orders.source, partition: 0, first: 1, last: 9, count: 1))
        #expect(arena.subtract(both, .empty).flags == 0)
        // More was taken out than was there: the numbers wrap and come back.
        let negative = arena.subtract(.empty, source(orders, 5))
        #expect(negative.count == UInt64.max)
        #expect(arena.add(negative, source(orders, 5)).count == 0)
        #expect(throws: Never.self) { try decoded(bytes(negative)) }
    }

    @Test func `beyond 16 sources the topic with most partitions collapses`() throws {
        var sum = Cell.empty
        var digest: UInt128 = 0
        for partition in 0..<Int32(12) {
            let source = SourcePartition(cluster: "c", topic: "many", partition: partition)
            sum = arena.add(sum, self.source(source, Int64(partition)))
            digest = digest &+ source.digest(offset: Int64(partition))
        }
        for partition in 0..<Int32(5) {
            let source = SourcePartition(cluster: "c", topic: "few", partition: partition)
            sum = arena.add(sum, self.source(source, 100))
            digest = digest &+ source.digest(offset: 100)
        }
        #expect(sum.flags == Cell.collapsed)
        #expect(sum.count == 17 && sum.digest == digest)
        let entries = arena.entries(of: sum)
        #expect(entries.count == 6)
        let many = SourcePartition.source(cluster: "c", topic: "many")
        #expect(
            entries.filter { $0.source == many } == [
                CellEntry(source: many, partition: -1, first: 0, last: 0, count: 12)
            ])
        // A collapsed topic takes later records in, and adds to itself.
        let more = arena.add(sum, source(SourcePartition(cluster: "c", topic: "many", partition: 40), 1))
        #expect(arena.entries(of: more).count == 6)
        let twice = arena.add(more, more)
        #expect(arena.entries(of: twice).first { $0.source == many }?.count == 26)
        let again = try decoded(bytes(twice))
        #expect(bytes(again) == bytes(twice))
    }

    @Test func `of topics with as many partitions the first one collapses`() {
        let topics = ["one", "two"].flatMap { topic in
            (0..<Int32(8)).map { SourcePartition(cluster: "c", topic: topic, partition: $0) }
        }
        let cells = (topics + [orders]).map { source($0, 1) }
        let sum = cells.reduce(.empty) { arena.add($0, $1) }
        let collapsed = arena.entries(of: sum).filter { $0.partition == -1 }
        #expect(collapsed.map(\.source) == topics.map(\.source).min().map { [$0] })
        #expect(bytes(cells.reversed().reduce(.empty) { arena.add($0, $1) }) == bytes(sum))
    }

    @Test func `17 topics and more still fit into 16 entries`() throws {
        let cells = (0..<40).map { source(SourcePartition(cluster: "c", topic: "topic \($0)", partition: 0), 1) }
        let sum = cells.reduce(.empty) { arena.add($0, $1) }
        #expect(sum.entries == 16)
        #expect(sum.count == 40)
        #expect(arena.entries(of: sum).reduce(0) { $0 + $1.count } == 40)
        #expect(try bytes(decoded(bytes(sum))) == bytes(sum))
        #expect(bytes(sum).count <= 300)
    }

    @Test func `releasing cuts the arena back`() {
        let mark = arena.mark
        _ = arena.add(source(orders, 1), source(others, 1))
        #expect(arena.mark > mark)
        arena.release(to: mark)
        #expect(arena.mark == mark)
    }

    @Test func `the bytes of cells are these`() throws {
        for vector in cellVectors {
            let bytes = try #require([UInt8](hexadecimal: vector.hex))
            #expect(self.bytes(vector.make(self)) == bytes, "\(vector.name)")
            #expect(try self.bytes(decoded(bytes)) == bytes, "\(vector.name)")
        }
    }

    @Test func `cut cells and cells with more behind are refused`() throws {
        for vector in cellVectors {
            let bytes = try #require([UInt8](hexadecimal: vector.hex))
            for count in 0..<bytes.count {
                #expect(throws: MalformedBytes.self) { try decoded(Array(bytes.prefix(count))) }
            }
            #expect(throws: MalformedBytes.self) { try decoded(bytes + [0]) }
        }
    }

    @Test func `flipped bits are decoded or refused`() throws {
        for vector in cellVectors {
            let bytes = try #require([UInt8](hexadecimal: vector.hex))
            for bit in 0..<(bytes.count * 8) {
                var wrong = bytes
                wrong[bit / 8] ^= 1 << UInt8(bit % 8)
                if let cell = try? decoded(wrong) {
                    _ = arena.add(cell, cell)
                    _ = arena.subtract(source(orders, 1), cell)
                    #expect(try self.bytes(decoded(self.bytes(cell))) == self.bytes(cell))
                }
            }
        }
    }

    @Test func `bytes of 16 sources are a cell, those of 17 are none`() throws {
        let entries = (10..<27).map { "000000\($0)00000001" }.joined()
        var bytes = try #require(
            [UInt8](hexadecimal: "0000000007" + String(repeating: "00", count: 16) + "11000011" + entries))
        #expect(throws: MalformedBytes.self) { try decoded(bytes) }
        bytes.removeLast(8)
        (bytes[21], bytes[24]) = (16, 16)
        #expect(try decoded(bytes).count == 16)
    }

    @Test(arguments: [
        ("sources out of order", "0000000007" + String(repeating: "00", count: 16) + "02000002" + two(2, 1)),
        ("a source twice", "0000000007" + String(repeating: "00", count: 16) + "02000002" + two(1, 1)),
        ("counts that differ", "0000000007" + String(repeating: "00", count: 16) + "03000002" + two(1, 2)),
        (
            "a collapsed source unmarked",
            "0000000007" + String(repeating: "00", count: 16) + "010000010000000101" + "01"
        ),
        ("contributions without source", "0000000007" + String(repeating: "00", count: 16) + "01000000"),
    ])
    func `what no cell says is refused`(_ name: String, _ hex: String) throws {
        let bytes = try #require([UInt8](hexadecimal: hex))
        #expect(throws: MalformedBytes.self, "\(name)") { try decoded(bytes) }
    }

    @Test func `numbers beyond 64 bits are refused, not trapped on`() {
        var writer = ByteWriter()
        var cell = source(orders, Int64.max, at: Int64.max)
        arena.encode(cell, into: &writer)
        #expect(throws: Never.self) { try decoded(writer.copy()) }
        cell.latest = Int64.min  // the distance wraps to 1
        #expect(throws: MalformedBytes.self) { try decoded(bytes(cell)) }
        cell.latest = cell.earliest
        cell.first.first = Int64.max - 1
        cell.first.last = Int64.min
        #expect(throws: MalformedBytes.self) { try decoded(bytes(cell)) }
    }

    @Test func `the header has a version, and no cell when cells are off`() throws {
        let cell = source(orders, 3)
        var writer = ByteWriter()
        CellHeader.append(cell, of: arena, to: &writer)
        #expect(writer.copy() == [1] + bytes(cell))
        let read = try CellHeader.decode(writer.bytes, into: arena)
        #expect(read.map { bytes($0) } == bytes(cell))
        writer.removeAll()
        CellHeader.appendMark(to: &writer)
        #expect(writer.copy() == [1])
        #expect(try CellHeader.decode(writer.bytes, into: arena) == nil)
        #expect(throws: CellHeaderError.unknownVersion(2)) { try headerDecode([2] + bytes(cell)) }
        #expect(throws: CellHeaderError.empty) { try headerDecode([]) }
        #expect(throws: CellHeaderError.malformed(.truncated(offset: 1))) { try headerDecode([1, 0]) }
    }

    func decoded(_ bytes: [UInt8]) throws(MalformedBytes) -> Cell { try arena.decode(bytes.span.bytes) }

    func headerDecode(_ bytes: [UInt8]) throws(CellHeaderError) {
        _ = try CellHeader.decode(bytes.span.bytes, into: arena)
    }
}

private func two(_ first: Int, _ second: Int) -> String {
    "0000000\(first)00000001" + "0000000\(second)00000001"
}
