internal import CLMDB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A call of LMDB that failed.
package struct LMDBError: Error, Sendable, CustomStringConvertible {
    /// What a caller must tell apart.
    package enum Kind: Sendable, Hashable {
        /// The map is at its limit, or another process uses a larger one.
        case mapFull
        /// No space left on the device, or a quota reached.
        case diskFull
        /// The file is not what LMDB wrote.
        case corrupt
        /// A file of another version of LMDB.
        case unknownFormat
        /// All reader slots are taken.
        case readersFull
        /// A key or value that LMDB cannot take, or one that isn't greater than the last in an append.
        case badKey
        /// The transaction failed before and can only be aborted.
        case badTransaction
        /// No such file or database.
        case notFound
        /// Anything else of the system.
        case io
    }

    /// LMDB's code: negative ones are its own, positive ones errno.
    package let code: Int32
    /// The C function, or what it stands for.
    package let call: StaticString
    /// The file of the environment.
    package let path: String
    /// The page that is not what LMDB wrote, if one was found.
    package let page: UInt64?

    /// Whether a commit failed in such a way that it may have happened: its meta page was being written.
    ///
    /// Any other failed commit left nothing.
    package let isOutcomeUnknown: Bool

    /// What a caller must tell apart.
    package var kind: Kind {
        switch code {
        case MDB_MAP_FULL, MDB_MAP_RESIZED: .mapFull
        case ENOSPC, EDQUOT: .diskFull
        // A page without room or a tree without end is none that LMDB made.
        case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_PAGE_FULL, MDB_CURSOR_FULL, Self.badRow: .corrupt
        case MDB_VERSION_MISMATCH: .unknownFormat
        case MDB_READERS_FULL: .readersFull
        case MDB_BAD_VALSIZE, MDB_KEYEXIST, EINVAL: .badKey
        case MDB_BAD_TXN: .badTransaction
        case ENOENT, MDB_NOTFOUND: .notFound
        default: .io
        }
    }

    /// Whether a key to append isn't greater than the last.
    package var isOutOfOrder: Bool { code == MDB_KEYEXIST }

    /// A row whose checksum is not the one it was written with: a code that LMDB has no use for.
    package static let badRow: Int32 = -30_000

    /// Makes an error.
    package init(
        code: Int32, call: StaticString, path: String, page: UInt64? = nil, isOutcomeUnknown: Bool = false
    ) {
        self.isOutcomeUnknown = isOutcomeUnknown
        self.code = code
        self.call = call
        self.path = path
        self.page = page
    }

    /// One sentence with the file and LMDB's own words.
    package var description: String {
        if let page { return "\(path): \(call) (page \(page))" }
        if code == Self.badRow { return "\(call) on \(path): a row is not what was written" }
        let words = unsafe mdb_strerror(code).map { unsafe String(cString: $0) } ?? "unknown error"
        return "\(call) on \(path): \(words) (\(code))"
    }
}
