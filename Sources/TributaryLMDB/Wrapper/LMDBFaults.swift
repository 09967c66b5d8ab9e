internal import CLMDB
internal import Synchronization
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Makes a chosen write, commit or sync fail, so that tests can see what a full disk leaves behind, and notes what was asked of the
/// disk.
///
/// A failed write spoils its transaction, and a failed commit ends it, as in LMDB itself.
package final class LMDBFaults: Sendable {
    private let writesLeft = Atomic<Int>(Int.max)
    private let commitsLeft = Atomic<Int>(Int.max)
    private let syncsLeft = Atomic<Int>(Int.max)
    private let code = Atomic<Int32>(0)
    private let answersLeft = Atomic<Int>(Int.max)
    private let meanwhile = Guarded<(@Sendable () -> Void)?>(nil)
    private let steps = Guarded<[Step]>([])

    /// What was done for the data's safety, with the file or folder.
    package enum Step: Sendable, Equatable {
        /// A transaction was committed, and waited for the disk or not.
        case commit(String, isSynced: Bool)
        /// A file was written to disk.
        case sync(String)
        /// A folder's entries were written to disk.
        case syncFolder(String)
        /// A file took the place of another.
        case replace(String)
    }

    /// The steps since the last call, in order, of which the first thousand are kept.
    package func takeSteps() -> [Step] {
        steps.withLock { steps in
            defer { steps = [] }
            return steps
        }
    }

    func note(_ step: Step) { steps.withLock { if $0.count < 1000 { $0.append(step) } } }

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

    /// Lets the `number`th time from now that a file is written to disk (1 is the next) and all after it fail with `code`.
    package func failSync(_ number: Int, code: Int32 = EIO) {
        self.code.store(code, ordering: .relaxed)
        syncsLeft.store(number, ordering: .releasing)
    }

    /// Lets the `number`th commit from now happen (1 is the next), and says that its outcome is unknown.
    package func loseAnswer(ofCommit number: Int) { answersLeft.store(number, ordering: .releasing) }

    /// Runs a closure when a commit has failed, before its caller learns of it: what others do meanwhile.
    package func afterFailedCommit(_ body: (@Sendable () -> Void)?) { meanwhile.withLock { $0 = body } }

    func failed() {
        let body = meanwhile.withLock { $0 }
        body?()
    }

    /// Lets nothing fail any more.
    package func clear() {
        answersLeft.store(Int.max, ordering: .releasing)
        writesLeft.store(Int.max, ordering: .releasing)
        commitsLeft.store(Int.max, ordering: .releasing)
        syncsLeft.store(Int.max, ordering: .releasing)
    }

    func nextWrite() -> Int32 { next(writesLeft) }
    func nextCommit() -> Int32 { next(commitsLeft) }
    func nextSync() -> Int32 { next(syncsLeft) }
    func losesAnswer() -> Bool {
        answersLeft.load(ordering: .acquiring) != Int.max
            && answersLeft.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }

    private func next(_ left: borrowing Atomic<Int>) -> Int32 {
        guard left.load(ordering: .acquiring) != Int.max else { return 0 }
        let now = left.subtract(1, ordering: .acquiringAndReleasing).newValue
        return now <= 0 ? code.load(ordering: .relaxed) : 0
    }
}
