internal import Synchronization
internal import TributaryCore
internal import TributaryState

/// Small files beside a state file that say how the last process with it fared.
///
/// `-damaged`: something in the file was not what was written; holds what. `-open`: there while a process has the file open for
/// writing, so that it is found after a death; holds how many starts in a row have not got as far as to process and commit, and
/// whether the file had been made.
final class StateMarks: Sendable {
    private let damagePath: String
    private let openPath: String
    private let doubt = Atomic(false)

    static let suffixes = ["-damaged", "-open"]

    init(_ path: String) {
        damagePath = path + "-damaged"
        openPath = path + "-open"
    }

    // MARK: Damage

    /// What was found wrong in the file; nil if nothing was.
    var damage: String? {
        guard let bytes = try? StateFiles.read(damagePath, limit: 4096) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Notes what was found, for the next start; the first finding stays.
    func noteDamage(_ what: String) {
        guard StateFiles.size(damagePath) == nil else { return }
        try? StateFiles.write(damagePath, Array(what.utf8.prefix(4096)))
    }

    /// Notes what an error of LMDB tells about the file.
    func note(_ error: LMDBError) {
        switch error.kind {
        case .corrupt: noteDamage("\(error)")
        case .mapFull, .diskFull, .readersFull, .unknownFormat, .notFound: break
        case .badKey: if !error.isOutOfOrder { doubt.store(true, ordering: .relaxed) }
        case .badTransaction, .io: doubt.store(true, ordering: .relaxed)
        }
    }

    /// Whether something failed that can't fail in a sound file on a sound disk, and that doesn't say what is wrong.
    ///
    /// The file then isn't said to be closed, so that the next opening looks at it, and one on which this happens again and
    /// again is given up.
    var isDoubtful: Bool { doubt.load(ordering: .relaxed) }

    func clearDamage() throws(StoreError) { try StateFiles.delete(damagePath) }

    // MARK: Life

    /// What a process that didn't close the file left.
    struct Run: Equatable {
        /// How many starts in a row, it included, ended before they had got on.
        var deaths: Int
        /// Whether there was a file to lose.
        var isMade: Bool
    }

    /// Nil if the file was closed.
    var unclosed: Run? {
        guard let bytes = try? StateFiles.read(openPath, limit: 64) else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return Run(deaths: words.first.flatMap { Int($0) } ?? 1, isMade: words.last != "new")
    }

    func opened(_ run: Run) throws(StoreError) {
        try StateFiles.write(openPath, Array("\(run.deaths) \(run.isMade ? "made" : "new")".utf8), isSynced: false)
    }

    /// The process has processed and committed.
    func gotOn() { try? opened(Run(deaths: 0, isMade: true)) }

    func closed() { try? StateFiles.delete(openPath) }
}
