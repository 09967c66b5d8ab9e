internal import CLMDB
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Makes a chosen write or commit fail, so that tests can see what a full disk leaves behind.
///
/// A failed write spoils its transaction, and a failed commit ends it, as in LMDB itself.
package final class LMDBFaults: Sendable {
    private let writesLeft = Atomic<Int>(Int.max)
    private let commitsLeft = Atomic<Int>(Int.max)
    private let code = Atomic<Int32>(0)

    /// Makes a plan by which nothing fails.
    package init() {}

    /// Lets the `number`th write from now (1 is the next) and all after it fail with `code`.
    package func failWrite(_ number: Int, code: Int32 = ENOSPC) {
        self.code.store(code, ordering: .relaxed)
        writesLeft.store(number, ordering: .releasing)
    }

    /// Lets the `number`th commit from now (1 is the next) and all after it fail with `code`.
    package func failCommit(_ number: Int, code: Int32 = ENOSPC) {
        self.code.store(code, ordering: .relaxed)
        commitsLeft.store(number, ordering: .releasing)
    }

    /// Lets nothing fail any more.
    package func clear() {
        writesLeft.store(Int.max, ordering: .releasing)
        commitsLeft.store(Int.max, ordering: .releasing)
    }

    func nextWrite() -> Int32 { next(writesLeft) }
    func nextCommit() -> Int32 { next(commitsLeft) }

    private func next(_ left: borrowing Atomic<Int>) -> Int32 {
        guard left.load(ordering: .acquiring) != Int.max else { return 0 }
        let now = left.subtract(1, ordering: .acquiringAndReleasing).newValue
        return now <= 0 ? code.load(ordering: .relaxed) : 0
    }
}
