/** The data source for TypeORM's own CLI, which wants it as an export: `npm run typeorm -- migration:show`. */
import { createDataSource } from './data-source';

export default createDataSource();
