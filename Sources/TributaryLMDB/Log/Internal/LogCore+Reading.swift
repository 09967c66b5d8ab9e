internal import TributaryCore

extension LogCore {
    /// Opens the files of a log that is there, without a lock and without writing anything into its folder.
    static func openToRead(
        _ directory: String, _ configuration: EmbeddedLogConfiguration, _ onClose: @escaping @Sendable () -> Void
    ) throws(LogError) -> (LMDBEnvironment, LogDatabases, String, UInt32) {
        let path = directory + "/log.mdb"
        guard !isMissingOrEmpty(path) else {
            throw LogError(.configuration, "there is no log in \(directory), and a reader makes none")
        }
        try LogFileCheck.run(path)
        var options = LMDBOptions(maximumDatabases: 16, maximumReaders: readers, readOnly: true)
        options.onClose = onClose
        options.logs = configuration.logs
        let format: UInt32
        do throws(LMDBError) {
            let environment = try LMDBEnvironment.toRead(path, options)
            let reader = try environment.read()
            let meta = try reader.openDatabase("meta")
            var key = LogKey()
            key.text("format")
            guard let found = try reader.value(meta, key.bytes)?.integer(at: 0, as: UInt32.self) else {
                throw environment.malformed("the format is missing")
            }
            format = found
            if formats.contains(format) {
                let databases = try LogDatabases(reader, format: format)
                key.text("cluster")
                guard let cluster = try reader.value(databases.meta, key.bytes) else {
                    throw environment.malformed("the cluster's id is missing")
                }
                let id = String(decoding: [UInt8](copying: cluster), as: UTF8.self)
                return (environment, databases, id, format)
            }
        } catch { throw LogError(error) }
        throw LogError(
            .unknownFormat, "\(path) has format \(format), this library knows \(Self.format): use a newer library")
    }
}
