#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Counts the pages that a transaction writes to, by the addresses of what it writes: LMDB keeps each in memory, and doesn't say how many.
///
/// Rows in the order of their keys lie in one page after the other, so a page counts when an address is far from the one before. One
/// that is come back to counts again.
struct DirtyPages {
    /// The machine's pages, which LMDB takes in a new file.
    let size = Int(getpagesize())

    private var last: UInt = 0
    private var stepCount = 0
    private var large = 0
    private var deletes = 0

    /// A row was written.
    @inline(__always)
    mutating func wrote(at address: UInt, count: Int) {
        let reach = UInt(size) &- 1
        if address &- last &+ reach > 2 &* reach { stepCount &+= 1 }
        last = address
        if count >= size / 2 { large &+= count / size &+ 1 }
    }

    /// A row was deleted: whole ranges at a time as a rule.
    @inline(__always)
    mutating func deleted() { deletes &+= 1 }

    /// About as many pages.
    ///
    /// Half of the steps to the page that follows in memory look like steps within one.
    var count: Int { stepCount * 2 + large + (deletes + 3) / 4 }
}
