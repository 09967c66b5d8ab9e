#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A bit of a file that is turned over.
package struct BitFlip: Sendable, Hashable, CustomStringConvertible {
    package var offset: Int
    package var bit: UInt8

    package init(offset: Int, bit: UInt8) {
        self.offset = offset
        self.bit = bit
    }

    /// Turns the bit over; done twice, the file is as before.
    package func apply(to path: String) throws(SystemFailure) {
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { throw SystemFailure(path) }
        defer { close(file) }
        var byte: UInt8 = 0
        guard pread(file, &byte, 1, off_t(offset)) == 1 else { throw SystemFailure(path) }
        byte ^= 1 << (bit & 7)
        guard pwrite(file, &byte, 1, off_t(offset)) == 1 else { throw SystemFailure(path) }
    }

    package var description: String { "bit \(bit) of byte \(offset)" }
}

/// What a byte of an LMDB file is for.
package enum FlipPlace: String, Sendable, CaseIterable {
    /// The fields of the two meta pages.
    case meta
    /// Pages that lead to others: head, pointers, keys and page numbers.
    case branch
    /// Of a leaf: the page's head, the pointers to its nodes, the nodes' sizes and flags.
    case leafHead = "leaf head"
    /// Of a leaf: keys, and the values that lie there.
    case leafBody = "leaf body"
    /// The head of a value's own pages.
    case overflowHead = "value head"
    /// Values on pages of their own.
    case overflowBody = "value body"
    /// The list of free pages.
    case freeList = "free list"
    /// Any byte of the file, pages in no use included.
    case anywhere
}

/// Which bytes of an LMDB file are in use, and for what, found by walking over its newest trees.
///
/// For files that are sound. Layout: `LogFileCheck` in TributaryLMDB.
package struct LMDBFileMap: Sendable {
    package let size: Int
    package let pageSize: Int
    private let file: [UInt8]
    private var ranges: [FlipPlace: [Range<Int>]] = [:]

    /// Reads and walks over a file that nobody writes.
    package init(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0, status.st_size < 1 << 30 else {
            throw TestFailure("\(path) is gone, or has \(status.st_size) bytes in \(status.st_blocks) blocks")
        }
        file = try contents(path)
        size = file.count
        guard size >= 8192 else { throw TestFailure("\(path) is no LMDB file") }
        pageSize = Self.number(file, 40, 4)
        let metas = [0, pageSize]
        let newest = Self.number(file, 144, 8) > Self.number(file, pageSize + 144, 8) ? 0 : pageSize
        ranges[.meta] = metas.map { $0..<($0 + 152) }
        ranges[.anywhere] = [0..<size]
        try walk(Self.number(file, newest + 80, 8), isFree: true)
        try walk(Self.number(file, newest + 128, 8), isFree: false)
    }

    /// The bytes of a kind; empty if the file has none.
    package func bytes(_ place: FlipPlace) -> [Range<Int>] { ranges[place] ?? [] }

    /// So many different bits of a kind, the same for the same seed; fewer if there are no more.
    package func flips(_ place: FlipPlace, count: Int, seed: UInt64) -> [BitFlip] {
        let ranges = bytes(place)
        let total = ranges.reduce(0) { $0 + $1.count }
        guard total > 0 else { return [] }
        var state = seed &+ UInt64(FlipPlace.allCases.firstIndex(of: place) ?? 0) &* 0x9e37_79b9_7f4a_7c15
        func next() -> UInt64 {  // splitmix64
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
        var flips: [BitFlip] = []
        var seen: Set<BitFlip> = []
        while flips.count < min(count, total * 8) {
            var index = Int(next() % UInt64(total))
            let bit = UInt8(next() & 7)
            for range in ranges {
                if index < range.count {
                    let flip = BitFlip(offset: range.lowerBound + index, bit: bit)
                    if seen.insert(flip).inserted { flips.append(flip) }
                    break
                }
                index -= range.count
            }
        }
        return flips
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int {
        guard at >= 0, at + count <= bytes.count else { return -1 }
        return (0..<count).reduce(0) { $0 | Int(truncatingIfNeeded: UInt64(bytes[at + $1]) << UInt64($1 * 8)) }
    }

    private mutating func add(_ place: FlipPlace, _ start: Int, _ count: Int) {
        if count > 0 { ranges[place, default: []].append(start..<(start + count)) }
    }

    private mutating func walk(_ root: Int, isFree: Bool) throws {
        guard root != -1 else { return }
        var waiting = [root]
        while let page = waiting.popLast() {
            let start = page * pageSize
            guard page >= 2, start + pageSize <= size else { throw TestFailure("a page beyond the file") }
            let flags = Self.number(file, start + 10, 2)
            let nodes = (Self.number(file, start + 12, 2) - 16) / 2
            let used = Self.number(file, start + 14, 2)
            if isFree {
                add(.freeList, start, 16 + nodes * 2)
                add(.freeList, start + used, pageSize - used)
            } else if flags & 1 != 0 {
                add(.branch, start, 16 + nodes * 2)
                add(.branch, start + used, pageSize - used)
            } else {
                add(.leafHead, start, 16 + nodes * 2)
            }
            for index in 0..<nodes {
                let node = start + Self.number(file, start + 16 + index * 2, 2)
                let low = Self.number(file, node, 4)
                let nodeFlags = Self.number(file, node + 4, 2)
                let keySize = Self.number(file, node + 6, 2)
                if flags & 1 != 0 {
                    waiting.append(low | nodeFlags << 32)
                    continue
                }
                let value = node + 8 + keySize
                if !isFree {
                    add(.leafHead, node, 8)
                    add(.leafBody, node + 8, keySize + (nodeFlags & 1 != 0 ? 8 : low))
                }
                if nodeFlags & 1 != 0 {
                    let own = Self.number(file, value, 8) * pageSize
                    add(isFree ? .freeList : .overflowHead, own, 16)
                    add(isFree ? .freeList : .overflowBody, own + 16, low)
                } else if nodeFlags & 2 != 0 {
                    try walk(Self.number(file, value + 40, 8), isFree: isFree)
                }
            }
        }
    }
}

/// How often what came of something that was tried, as a table.
package struct OutcomeTable: Sendable, CustomStringConvertible {
    private let title: String
    private var counts: [String: [String: Int]] = [:]
    private var order: [String] = []

    package init(_ title: String) { self.title = title }

    /// Counts one more.
    package mutating func add(_ row: String, _ outcome: String) {
        if counts[row] == nil { order.append(row) }
        counts[row, default: [:]][outcome, default: 0] += 1
    }

    /// How often an outcome came of anything.
    package func count(_ outcome: String) -> Int { counts.values.reduce(0) { $0 + ($1[outcome] ?? 0) } }

    package var description: String {
        let outcomes = Set(counts.values.flatMap(\.keys)).sorted()
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(width - text.count, 0))
        }
        let first = max(order.map(\.count).max() ?? 0, title.count) + 2
        var lines = [padded(title, first) + padded("tried", 8) + outcomes.map { padded($0, $0.count + 2) }.joined()]
        for row in order {
            let here = counts[row] ?? [:]
            lines.append(
                padded(row, first) + padded("\(here.values.reduce(0, +))", 8)
                    + outcomes.map { padded("\(here[$0] ?? 0)", $0.count + 2) }.joined())
        }
        return lines.joined(separator: "\n")
    }
}
