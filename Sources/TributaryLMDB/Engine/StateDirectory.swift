internal import TributaryCore
package import TributaryState

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The state of an application on this machine: a folder with one for each task, `<sub-topology>_<partition>`.
package enum StateDirectory {
    /// Deletes the state of an application that doesn't run, with its folder; does nothing where there is none.
    ///
    /// - Throws: `StoreError.Code.inUse`, with who has it, while an application runs with it; `invalidRequest` if something else is in the
    ///   folder, and then nothing is deleted; `io`.
    package static func delete(_ path: String) throws(StoreError) {
        guard isFolder(path) else { return }
        // Held until the end: an application that has it open is not to lose it.
        let lock = try StateDirectoryLock(directory: path)
        defer { _ = lock }
        let tasks = try names(path).filter { !$0.hasPrefix(".") }
        for name in tasks where !isTask(name) || !isFolder("\(path)/\(name)") {
            throw StoreError(
                .invalidRequest,
                "'\(path)' is no application's state: there is a '\(name)' in it; nothing in it was deleted")
        }
        for task in tasks {
            let folder = "\(path)/\(task)"
            for name in try names(folder) { try StateFiles.delete("\(folder)/\(name)") }
            if unsafe rmdir(folder) != 0 { throw StateFiles.failure("rmdir", folder) }
        }
        // From here on it is another's: who opened the lock's file before sees that it is gone, and makes another in a new folder, or in
        // this one, which then stays.
        try StateFiles.delete("\(path)/.lock")
        _ = unsafe rmdir(path)
    }

    private static func isTask(_ name: String) -> Bool {
        let numbers = name.split(separator: "_", omittingEmptySubsequences: false)
        return numbers.count == 2 && numbers.allSatisfy { Int32($0) != nil }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func names(_ path: String) throws(StoreError) -> [String] {
        guard let folder = unsafe opendir(path) else { throw StateFiles.failure("opendir", path) }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
