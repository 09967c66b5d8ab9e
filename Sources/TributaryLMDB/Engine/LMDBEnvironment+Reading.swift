internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension LMDBEnvironment {
    /// Opens a file that may lie in a folder for reading only.
    ///
    /// With the lock file of the writers, where it may be written to, they keep what is being read. Elsewhere LMDB gets one of its own: it
    /// makes it beside the name that it opens, which is a link then.
    static func toRead(_ path: String, _ options: LMDBOptions) throws(LMDBError) -> LMDBEnvironment {
        let lock = path + "-lock"
        let isThere = unsafe access(lock, F_OK) == 0
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        guard unsafe access(isThere ? lock : folder, R_OK | W_OK) != 0 else {
            return try LMDBEnvironment(path: path, options: options)
        }
        let own = try makeTemporaryFolder()
        let link = own + "/file.mdb"
        // The lock is of no use by its name once it is open.
        defer {
            removeFile(link)
            removeFile(link + "-lock")
            _ = unsafe rmdir(own)
        }
        guard let target = unsafe realpath(path, nil) else {
            throw LMDBError(code: errno, call: "realpath", path: path)
        }
        defer { unsafe free(target) }
        guard unsafe symlink(target, link) == 0 else { throw LMDBError(code: errno, call: "symlink", path: link) }
        return try LMDBEnvironment(path: link, options: options)
    }

    private static func makeTemporaryFolder() throws(LMDBError) -> String {
        let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/tributary-reader-XXXXXX".utf8CString)
        guard let made = unsafe mkdtemp(&template) else { throw LMDBError(code: errno, call: "mkdtemp", path: parent) }
        return unsafe String(cString: made)
    }
}
