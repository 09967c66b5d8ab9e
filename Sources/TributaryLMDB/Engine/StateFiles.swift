internal import TributaryCore
internal import TributaryState

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

// Calls whose names the methods here would hide.
@unsafe private func readFile(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    unsafe read(file, buffer.baseAddress, buffer.count)
}

@unsafe private func writeFile(_ file: Int32, _ buffer: UnsafeRawBufferPointer) -> Int {
    unsafe write(file, buffer.baseAddress, buffer.count)
}

/// The few calls on files that the engine needs, with errors in the store's words.
enum StateFiles {
    /// The error for the last call that failed.
    static func failure(_ call: String, _ path: String) -> StoreError {
        let code = errno
        let words = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
        return StoreError(code == ENOSPC || code == EDQUOT ? .diskFull : .io, "\(call) \(path): \(words)")
    }

    /// Makes a folder and those above it, and makes that durable.
    static func makeFolder(_ path: String, _ faults: LMDBFaults? = nil) throws(StoreError) {
        if unsafe mkdir(path, 0o755) == 0 { return try syncFolder(parent(path), faults) }
        if errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw failure("mkdir", path)
        }
        try makeFolder(String(path[..<slash]), faults)
        if unsafe mkdir(path, 0o755) == 0 { return try syncFolder(parent(path), faults) }
        if errno != EEXIST { throw failure("mkdir", path) }
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Deletes a file that may not be there.
    static func delete(_ path: String) throws(StoreError) {
        if unsafe unlink(path) != 0 && errno != ENOENT { throw failure("unlink", path) }
    }

    /// Puts a file in the place of another, which is durable when the folder is synced.
    static func replace(_ path: String, by new: String, _ faults: LMDBFaults? = nil) throws(StoreError) {
        if unsafe rename(new, path) != 0 { throw failure("rename", new) }
        faults?.note(.replace(path))
    }

    static func syncFolder(_ path: String, _ faults: LMDBFaults? = nil) throws(StoreError) {
        let folder = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { throw failure("open", path) }
        defer { _ = close(folder) }
        if fsync(folder) != 0 { throw failure("fsync", path) }
        faults?.note(.syncFolder(path))
    }

    /// The size of a file; nil if it isn't there.
    static func size(_ path: String) -> Int? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// Makes a file at least `count` bytes long.
    static func extend(_ path: String, to count: Int) throws(StoreError) {
        guard let size = size(path), size < count else { return }
        if unsafe truncate(path, count) != 0 { throw failure("truncate", path) }
    }

    /// The content of a small file, at most `limit` bytes of it; nil if it isn't there.
    static func read(_ path: String, limit: Int) throws(StoreError) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("open", path)
        }
        defer { _ = close(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe readFile(file, $0) }
        guard count >= 0 else { throw failure("read", path) }
        return Array(bytes.prefix(count))
    }

    /// Writes a small file and, unless told not to, makes it durable.
    static func write(_ path: String, _ bytes: [UInt8], isSynced: Bool = true) throws(StoreError) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure("open", path) }
        defer { _ = close(file) }
        let count = unsafe bytes.withUnsafeBytes { unsafe writeFile(file, $0) }
        guard count == bytes.count, !isSynced || fsync(file) == 0 else { throw failure("write", path) }
    }

    /// What changes with each start of the system; nil if that cannot be told.
    static func bootID() -> [UInt8]? {
        let found = try? read("/proc/sys/kernel/random/boot_id", limit: 64)
        return found?.isEmpty == false ? found : nil
    }
}

/// Looks at a file of LMDB before it is mapped: a file that is shorter than its meta page says would end the process with
/// SIGBUS at the first read beyond its end.
enum StateFileCheck {
    private static let magic: UInt32 = 0xbeef_c0de
    /// Where the fields of a meta page lie (LMDB 0.9 on 64 bits): page header 16; magic, version 4 each; address, map size 8
    /// each; two trees of 48 bytes, of which the first begins with the page size; last page, transaction 8 each.
    private static let pageSizeOffset = 40
    private static let lastPageOffset = 136
    private static let transactionOffset = 144
    private static let metaEnd = 152

    /// Throws if the file cannot be one that LMDB wrote in full; a missing or empty one is none yet.
    ///
    /// The size is asked for after the meta pages are read, since a writer in another process may be at it: LMDB writes a meta
    /// page after what it speaks of.
    static func check(_ path: String) throws(StoreError) {
        guard let head = try StateFiles.read(path, limit: 1 << 17), !head.isEmpty else { return }
        guard let size = StateFiles.size(path) else { return }
        guard head.count >= metaEnd else { throw StoreError(.corrupt, "\(path) ends inside its first page") }
        let pageSize = Int(word32(head, pageSizeOffset))
        guard word32(head, 16) == magic, [4096, 8192, 16384, 32768, 65536].contains(pageSize) else {
            throw StoreError(.corrupt, "\(path) is not an LMDB file")
        }
        guard head.count >= pageSize + metaEnd, word32(head, pageSize + 16) == magic else {
            throw StoreError(.corrupt, "\(path) has no second meta page")
        }
        let newer = word64(head, transactionOffset) >= word64(head, pageSize + transactionOffset) ? 0 : pageSize
        let (needed, overflow) = (word64(head, newer + lastPageOffset) &+ 1)
            .multipliedReportingOverflow(by: UInt64(pageSize))
        if !overflow && needed <= UInt64(size) { return }
        // A process that died right after a commit leaves a file that lacks free pages at its end.
        do throws(LMDBDamage) { _ = try LMDBStateEngine.walk(path) } catch {
            throw StoreError(.corrupt, "\(path) has \(size) bytes where its meta page needs \(needed): \(error)")
        }
    }

    /// The same for a reader beside a writer, which makes a file as long as its meta page says a moment after the commit.
    static func checkBesideWriter(_ path: String) throws(StoreError) {
        for _ in 0..<3 {
            if (try? check(path)) != nil { return }
            usleep(2000)
        }
        try check(path)
    }

    // LMDB writes in the byte order of the machine: big-endian words, turned back into bytes and taken as they lie.
    private static func word32(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        (unsafe bytes.span.bytes.integer(at: offset, as: UInt32.self) ?? 0).bigEndian
    }

    private static func word64(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        (unsafe bytes.span.bytes.integer(at: offset, as: UInt64.self) ?? 0).bigEndian
    }
}
